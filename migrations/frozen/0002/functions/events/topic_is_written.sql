-- Whether events of a topic are to be written: it is kept, or a subscription wants it. MN010 for an unknown topic.
create or replace function mnemo.topic_is_written(p_topic text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_written boolean;
begin
    select t.kept or exists (select from mnemo.subscription s where t.name = any (s.topics)) into v_written
    from mnemo.topic t where t.name = p_topic;
    if not found then
        raise exception 'unknown topic %', coalesce(quote_literal(p_topic), 'null')
            using errcode = 'MN010', hint = 'Create it with mnemo.create_topic(name).';
    end if;
    return v_written;
end
$$;

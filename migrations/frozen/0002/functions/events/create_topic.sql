-- Adds a topic; returns false when there is one of that name already, which then takes this definition.
-- Names are 1 to 100 of a-z, 0-9, _ - and dot, which does not come first: else MN002.
create or replace function mnemo.create_topic(name text, kept boolean default true, description text default '') returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_new boolean;
begin
    insert into mnemo.topic as t (name, kept, description)
    values (create_topic.name, create_topic.kept, create_topic.description)
    on conflict on constraint topic_pkey do update set kept = excluded.kept, description = excluded.description
    returning old.name is null into v_new;
    return v_new;
exception
    when check_violation or not_null_violation then
        raise exception 'invalid definition of topic %', coalesce(quote_literal(create_topic.name), 'null')
            using errcode = 'MN002', detail = sqlerrm;
end
$$;

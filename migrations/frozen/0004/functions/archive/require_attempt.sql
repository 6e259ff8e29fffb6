-- Locks what an attempt works on; MN012 when it is nobody's any more: it has ended, or was given up.
create or replace function mnemo.require_attempt(p_attempt uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- No more than that: whoever forgets an archived memory notes it with the segment, and must not wait.
    perform from mnemo.segment s where s.attempt = p_attempt for no key update;
    if not found then
        perform from mnemo.copy_attempt c where c.attempt = p_attempt for update;
    end if;
    if not found then
        raise exception 'attempt % is no longer under way', coalesce(p_attempt::text, 'null') using errcode = 'MN012';
    end if;
end
$$;

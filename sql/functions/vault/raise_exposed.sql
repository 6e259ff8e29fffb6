-- MN019: the server would write secrets to its log until p_advice is set.
create or replace function mnemo.raise_exposed(p_advice text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'the server would log secrets: it needs %', p_advice
        using errcode = 'MN019',
              hint = format('Call mnemo.require_unlogged() first, or let an administrator run: alter role %I set %s. '
                            'A key that was sent already may be in the log: use another.', mnemo.caller(), p_advice);
end
$$;

-- An archived memory as strong and as used as it is once its accesses since are counted in, as if all had been at the time of
-- the last. p_used: all null where there were none.
create or replace function mnemo.with_uses(p_archived mnemo.archived_memory, p_used mnemo.archived_access) returns mnemo.archived_memory
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_at timestamptz := greatest((p_used).last_access, (p_archived).ltp_at);
begin
    if (p_used).accesses is not null then
        p_archived.ltp := 1 - power(1 - mnemo.setting('potentiation'), (p_used).accesses)
                              * (1 - mnemo.strength_at(p_archived.ltp, p_archived.ltp_at, v_at, mnemo.half_life()));
        p_archived.ltp_at := v_at;
        p_archived.last_access := (p_used).last_access;
        p_archived.access_count := least(p_archived.access_count::bigint + (p_used).accesses, 2147483647);
    end if;
    return p_archived;
end
$$;

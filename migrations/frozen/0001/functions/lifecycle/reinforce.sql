-- Strengthens a memory as an access does, s + (1 - s) * potentiation, and returns its new strength.
-- MN005 for an id that this tenant does not have.
create or replace function mnemo.reinforce(id uuid) returns double precision
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now       timestamptz := mnemo.now();
    v_half_life interval := mnemo.half_life();
    v_strength  double precision;
begin
    select mnemo.strength_at(a.ltp, a.ltp_at, v_now, v_half_life) into v_strength
    from mnemo.activity a
    where a.bucket = mnemo.bucket_of(reinforce.id) and a.id = reinforce.id and a.tenant = mnemo.tenant()
    for update;
    if not found then
        perform mnemo.raise_unknown_memory(reinforce.id);
    end if;
    v_strength := v_strength + (1 - v_strength) * mnemo.setting('potentiation');
    -- due_at, the indexed lower bound, stays: strength only grew, and the update is heap-only.
    update mnemo.activity a
    set ltp            = v_strength,
        ltp_at         = v_now,
        last_access    = v_now,
        access_count   = a.access_count + 1,
        leaves_tier_at = mnemo.leaves_tier_at(v_strength, v_now, t.leaves_below, v_half_life)
    from mnemo.tier t
    where t.tier = a.tier and a.bucket = mnemo.bucket_of(reinforce.id) and a.id = reinforce.id;
    return v_strength;
end
$$;

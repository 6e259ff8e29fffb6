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
    v_tier      text;
begin
    -- Before the row: who has read memories and waits for a row would hold up a consolidation that waits for readers.
    perform mnemo.lock_for_writing();
    select mnemo.strength_at(a.ltp, a.ltp_at, v_now, v_half_life) into v_strength
    from mnemo.activity a
    where a.bucket = mnemo.bucket_of(reinforce.id) and a.id = reinforce.id and a.tenant = (select mnemo.tenant())
    for update;
    if not found then
        perform mnemo.raise_unknown_memory(reinforce.id);
    end if;
    -- As it will be stored, so that the deadline is exact.
    v_strength := (v_strength + (1 - v_strength) * mnemo.setting('potentiation'))::real;
    -- due_at, the indexed lower bound, stays: the memory only leaves later, and the update is heap-only.
    update mnemo.activity a
    set ltp            = v_strength,
        ltp_at         = v_now,
        last_access    = v_now,
        access_count   = a.access_count + 1,
        tier_accesses  = a.tier_accesses + 1,
        leaves_tier_at = mnemo.leaves_at(r.leave_rule, r.threshold, r.idle, v_strength, v_now, v_now, v_half_life)
    from mnemo.activity b
    cross join lateral mnemo.deadline_rule(b.tier, b.collection) as r
    where b.bucket = mnemo.bucket_of(reinforce.id) and b.id = reinforce.id and a.bucket = b.bucket and a.id = b.id
    returning a.tier into v_tier;
    if v_tier <> 'hot' then
        insert into mnemo.accessed (bucket, id) values (mnemo.bucket_of(reinforce.id), reinforce.id) on conflict do nothing;
    end if;
    return v_strength;
end
$$;

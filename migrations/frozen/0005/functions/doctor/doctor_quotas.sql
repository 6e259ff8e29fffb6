-- quotas: what each quota counts is what is there. Without p_deep it is not counted where the quotas say that that would be
-- more than 50,000 memories.
create or replace function mnemo.doctor_quotas(p_deep boolean) returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_quotas   bigint;
    v_memories bigint;
    v_trouble  text;
begin
    select count(*), coalesce(sum(q.memories_used), 0) into v_quotas, v_memories from mnemo.quota q;
    if not p_deep and v_memories > 50000 then
        return row('quotas', 'ok', 'not looked at: too many memories to count in passing; mnemo.doctor(deep => true) does', null)::mnemo.finding;
    end if;
    select string_agg(format('tenant %L has %s memories of %s bytes, counted are %s of %s', q.tenant, u.memories, u.bytes,
                             q.memories_used, q.bytes_used), '; ' order by q.tenant)
    into v_trouble
    from mnemo.quota q
    cross join lateral mnemo.counted_usage(q.tenant) as u
    where (u.memories, u.bytes) <> (q.memories_used, q.bytes_used);
    return mnemo.verdict('quotas', 'warn', v_trouble,
        case when v_quotas = 0 then 'no tenant has a quota' else format('%s tenants have one, each counted right', v_quotas) end,
        'select * from mnemo.recount_usage(tenant) sets it right; rows were written or lost other than through the functions');
end
$$;

-- The data keys that some memories of this tenant, here or archived, name. MN017 for a memory that is not there, or has nothing
-- sealed.
create or replace function mnemo.seals_of(p_ids uuid[]) returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_seals uuid[];
    v_wrong text;
begin
    select array_agg(s.seal), min(w.id::text) filter (where d.id is null) into v_seals, v_wrong
    from unnest(p_ids) as w (id)
    left join lateral (
        select mnemo.seal_of(m.attributes) as seal from mnemo.memory m
        where m.bucket = mnemo.bucket_of(w.id) and m.id = w.id and m.tenant = mnemo.tenant()
        union all
        select mnemo.seal_of(a.attributes) from mnemo.archived_memory a
        where a.bucket = mnemo.bucket_of(w.id) and a.id = w.id and a.tenant = mnemo.tenant()
    ) as s on true
    left join mnemo.data_key d on d.id = s.seal and d.tenant = mnemo.tenant() and d.purpose = 'memory';
    if v_wrong is not null then
        raise exception 'memory % has nothing sealed', v_wrong using errcode = 'MN017';
    end if;
    return coalesce(v_seals, '{}');
end
$$;

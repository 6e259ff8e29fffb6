-- Gives each draft its id: that of its key where the key is known, else a new one that carries its bucket.
-- New ids rise in the order of the drafts, the order of arrival.
-- Of several drafts with one key the last counts; the others come back with existed null, which writes nothing.
-- Keys are claimed in one order, so that batches with common keys wait for each other and never deadlock.
create or replace function mnemo.resolve_keys(p_drafts mnemo.draft[]) returns mnemo.draft[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant text := mnemo.tenant();
    v_result mnemo.draft[];
begin
    with proposed as materialized (
        select b.*, mnemo.new_id(b.bucket) as new_id
        from (select d.*, mnemo.bucket_for(c.bucket_rule, d.hdv, d.context, v_tenant) as bucket,
                     row_number() over (partition by d.collection, d.key order by d.ordinal desc) = 1 or d.key is null as counts
              from unnest(p_drafts) as d
              join mnemo.collection c on c.name = d.collection
              order by d.ordinal) as b
    ), claimed as (
        insert into mnemo.memory_key as k (tenant, collection, key, bucket, id)
        select v_tenant, p.collection, p.key, p.bucket, p.new_id
        from proposed p
        where p.key is not null and p.counts
        order by p.collection, p.key
        on conflict (tenant, collection, key) do update set key = excluded.key
        returning k.collection, k.key, k.id, old.id is not null as existed
    )
    select array_agg(row(p.ordinal, p.content, p.hdv, p.embedding, p.context, p.session, p.occurred_at, p.attributes,
                         p.key, p.collection, p.importance, p.tier, p.pinned,
                         coalesce(k.id, p.new_id),
                         case when p.counts then coalesce(k.existed, false) end)::mnemo.draft
                     order by p.ordinal)
    into v_result
    from proposed p
    left join claimed k on k.collection = p.collection and k.key = p.key;
    return v_result;
end
$$;

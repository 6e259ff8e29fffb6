-- session_tails(collection, contexts, sessions, moments, keys, count): for each place in the three arrays the last `count`
-- memories of this tenant in that context and session before that moment: what comes before a batch's first memory there.
-- distance 1 is the nearest. Left out: private memories, and those of the keys given, which the batch itself writes anew. Where the first
-- memory's own key (first_keys) is there already, what came before is what is before it: memories of one moment are in order
-- of arrival.
create or replace function mnemo.session_tails(
    p_collection text,
    p_contexts   text[],
    p_sessions   text[],
    p_moments    timestamptz[],
    p_first_keys text[],
    p_keys       text[],
    p_count      integer
) returns table (place integer, distance integer, content text, embedding bytea)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
as $$
declare
    v_tenant text := mnemo.tenant();
begin
    -- The limits are constants, and nulls have a branch of their own, or the generic plan reads whole contexts. Three are
    -- the most that an encoding asks for.
    return query
    select g.place::integer, t.distance::integer, t.content, t.embedding
    from unnest(p_contexts, p_sessions, p_moments, p_first_keys) with ordinality as g (context, session, moment, key, place)
    cross join lateral (
        select coalesce((select k.id from mnemo.memory_key k where k.tenant = v_tenant and k.collection = p_collection and k.key = g.key),
                        'ffffffff-ffff-ffff-ffff-ffffffffffff') as id
    ) as own
    cross join lateral (
        select row_number() over (order by m.occurred_at desc, m.id desc) as distance, m.content, m.embedding
        from (
            (select m.content, m.embedding, m.occurred_at, m.id
             from mnemo.memory m
             where m.tenant = v_tenant and m.collection = p_collection and m.context = g.context and m.session = g.session
               and m.occurred_at <= g.moment and (m.occurred_at < g.moment or m.id < own.id)
               and (m.key is null or not m.key = any (p_keys)) and not mnemo.is_sealed(m.content)
             order by m.occurred_at desc, m.id desc
             limit 3)
            union all
            -- Equality with null is no condition of an index; being null is, though not to the order that it gives.
            (select m.content, m.embedding, m.occurred_at, m.id
             from mnemo.memory m
             where m.tenant = v_tenant and m.collection = p_collection and m.context = g.context and m.session is null and g.session is null
               and m.occurred_at <= g.moment and (m.occurred_at < g.moment or m.id < own.id)
               and (m.key is null or not m.key = any (p_keys)) and not mnemo.is_sealed(m.content)
             order by m.session desc, m.occurred_at desc, m.id desc
             limit 3)
        ) as m
    ) as t
    where t.distance <= p_count;
end
$$;

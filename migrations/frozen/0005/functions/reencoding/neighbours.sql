-- The memories of a session at one moment, and the last and first three before and after it: enough to say what stands around
-- each memory of that moment. A session is a tenant's, in one collection and context; null is one too.
-- Private memories stand beside nothing.
create or replace function mnemo.neighbours(
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_session    text,
    p_moment     timestamptz
) returns table (id uuid, bucket smallint, segment integer, occurred_at timestamptz)
language plpgsql stable
rows 10
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
as $$
begin
    -- Equality with null is no condition of an index; being null is, but the planner does not know that all are alike then.
    if p_session is null then
        return query
            (select m.id, m.bucket, m.segment, m.occurred_at from mnemo.memory m
             where m.tenant = p_tenant and m.collection = p_collection and m.context = p_context and m.session is null
               and m.occurred_at < p_moment and not mnemo.is_sealed(m.content)
             order by m.session desc, m.occurred_at desc, m.id desc limit 3)
            union all
            select m.id, m.bucket, m.segment, m.occurred_at from mnemo.memory m
            where m.tenant = p_tenant and m.collection = p_collection and m.context = p_context and m.session is null
              and m.occurred_at = p_moment and not mnemo.is_sealed(m.content)
            union all
            (select m.id, m.bucket, m.segment, m.occurred_at from mnemo.memory m
             where m.tenant = p_tenant and m.collection = p_collection and m.context = p_context and m.session is null
               and m.occurred_at > p_moment and not mnemo.is_sealed(m.content)
             order by m.session, m.occurred_at, m.id limit 3);
    else
        return query
            (select m.id, m.bucket, m.segment, m.occurred_at from mnemo.memory m
             where m.tenant = p_tenant and m.collection = p_collection and m.context = p_context and m.session = p_session
               and m.occurred_at < p_moment and not mnemo.is_sealed(m.content)
             order by m.occurred_at desc, m.id desc limit 3)
            union all
            select m.id, m.bucket, m.segment, m.occurred_at from mnemo.memory m
            where m.tenant = p_tenant and m.collection = p_collection and m.context = p_context and m.session = p_session
              and m.occurred_at = p_moment and not mnemo.is_sealed(m.content)
            union all
            (select m.id, m.bucket, m.segment, m.occurred_at from mnemo.memory m
             where m.tenant = p_tenant and m.collection = p_collection and m.context = p_context and m.session = p_session
               and m.occurred_at > p_moment and not mnemo.is_sealed(m.content)
             order by m.occurred_at, m.id limit 3);
    end if;
end
$$;

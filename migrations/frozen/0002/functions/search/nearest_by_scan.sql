-- The p_keep memories of a tier nearest to the query among all that match, by exact distance. With p_most, at most
-- so many are compared: when more match, nearest is null. matched: how many were compared.
-- Planned for each call: the planner sees the values, so it prunes partitions and can choose between the B-tree on
-- the context, the GIN on attributes, the B-tree of a declared attribute and a scan.
create or replace function mnemo.nearest_by_scan(
    p_query      bit varying,
    p_tier       text,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
    p_path       jsonpath,
    p_most       bigint,
    p_keep       integer,
    out nearest  mnemo.candidate[],
    out matched  bigint
)
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_custom_plan
set enable_seqscan = on
as $$
declare
    v_query       bit({bits}) := p_query;
    v_low         integer := case p_tier when 'hot' then 0 when 'warm' then -2147483648 else 2 end;
    v_high        integer := case p_tier when 'hot' then 0 when 'warm' then 1 else 2147483647 end;
    v_attribute   text;
    v_low_number  numeric;
    v_high_number numeric;
    v_low_text    text;
    v_high_text   text;
begin
    if p_most is null then
        nearest := mnemo.nearest_by_full_scan(p_query, p_tier, p_tenant, p_collection, p_context, p_filter, p_path, p_keep);
        matched := cardinality(nearest);
        return;
    end if;
    if p_path is not null then
        select attribute, low_number, high_number, low_text, high_text
        into v_attribute, v_low_number, v_high_number, v_low_text, v_high_text
        from mnemo.filter_range(p_filter);
    end if;
    with match as materialized (
            select (m.hdv <~> v_query)::integer as distance, m.id, m.bucket, m.segment
            from mnemo.memory m
            where m.segment between v_low and v_high and (v_high <> 1 or m.segment <> 0)
              and m.tenant = p_tenant and m.collection = p_collection
              and (p_context is null or m.context = p_context)
              and (p_path is null or m.attributes @@ p_path)
              and (v_low_number is null or mnemo.numeric_attribute(m.attributes, v_attribute) >= v_low_number)
              and (v_high_number is null or mnemo.numeric_attribute(m.attributes, v_attribute) <= v_high_number)
              and (v_low_text is null or mnemo.text_attribute(m.attributes, v_attribute) collate "C" >= v_low_text)
              and (v_high_text is null or mnemo.text_attribute(m.attributes, v_attribute) collate "C" <= v_high_text)
            limit p_most + 1
    )
    select case when count(*) <= p_most then array(
               select row(c.distance, c.id, c.bucket, c.segment)::mnemo.candidate
               from match c order by c.distance, c.id limit p_keep)
           end,
           count(*)
    into nearest, matched
    from match;
end
$$;

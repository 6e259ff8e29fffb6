-- The p_keep memories of a tier nearest to the query among all that match, by exact distance, however many they are.
-- Planned for each call, as mnemo.nearest_by_scan is, and with parallel workers where that pays.
create or replace function mnemo.nearest_by_full_scan(
    p_query      bit varying,
    p_tier       text,
    p_tenant     text,
    p_collection text,
    p_context    text,
    p_filter     jsonb,
    p_path       jsonpath,
    p_keep       integer
) returns mnemo.candidate[]
language plpgsql stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_custom_plan
set enable_seqscan = on
-- What a row costs is comparing its two kilobytes, mostly in memory, and not reading its page: told so, the planner
-- takes parallel workers where sharing that outweighs starting them and mapping the shared buffers anew into each:
-- measured with one worker, from some 30,000 rows on.
set seq_page_cost = 0.1
set random_page_cost = 0.11
set cpu_operator_cost = 0.03
set parallel_setup_cost = 4000
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
    if p_path is not null then
        select attribute, low_number, high_number, low_text, high_text
        into v_attribute, v_low_number, v_high_number, v_low_text, v_high_text
        from mnemo.filter_range(p_filter);
    end if;
    -- RETURN may use parallel workers; an assignment or SELECT INTO may not. The rows are made after the sort: in one
    -- level they would be made before it, for every memory.
    return array(
        select row(c.distance, c.id, c.bucket, c.segment)::mnemo.candidate
        from (select (m.hdv <~> v_query)::integer as distance, m.id, m.bucket, m.segment
              from mnemo.memory m
              where m.segment between v_low and v_high and (v_high <> 1 or m.segment <> 0)
                and m.tenant = p_tenant and m.collection = p_collection
                and (p_context is null or m.context = p_context)
                and (p_path is null or m.attributes @@ p_path)
                and (v_low_number is null or mnemo.numeric_attribute(m.attributes, v_attribute) >= v_low_number)
                and (v_high_number is null or mnemo.numeric_attribute(m.attributes, v_attribute) <= v_high_number)
                and (v_low_text is null or mnemo.text_attribute(m.attributes, v_attribute) collate "C" >= v_low_text)
                and (v_high_text is null or mnemo.text_attribute(m.attributes, v_attribute) collate "C" <= v_high_text)
              order by 1, m.id
              limit p_keep) as c
        order by c.distance, c.id);
end
$$;

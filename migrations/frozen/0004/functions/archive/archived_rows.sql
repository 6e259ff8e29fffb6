-- Which rows of ranges of archived segments are memories of this tenant that match: a client that has read a whole block
-- re-ranks all that is in it. Ranges include both ends.
create or replace function mnemo.archived_rows(
    segments   integer[],
    firsts     integer[],
    lasts      integer[],
    collection text default 'memories',
    context    text default null,
    filter     jsonb default '{}'
) returns table (segment integer, row_number integer, memory_id uuid)
language plpgsql stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_variable
declare
    v_tenant text := mnemo.tenant();
    v_path   jsonpath := case when filter <> '{}' then mnemo.filter_jsonpath(filter) end;
begin
    -- Fenced off: by the index on tenant and collection each range would read the whole segment.
    return query
    select m.segment, m.row_number, m.id
    from (select a.segment, a.row_number, a.id, a.tenant, a.collection, a.context, a.attributes
          from unnest(segments, firsts, lasts) as r (segment, first, last)
          join mnemo.archived_memory a on a.segment = r.segment and a.row_number between r.first and r.last
          offset 0) as m
    where m.tenant = v_tenant and m.collection = archived_rows.collection
      and (archived_rows.context is null or m.context = archived_rows.context)
      and (v_path is null or m.attributes @@ v_path);
end
$$;

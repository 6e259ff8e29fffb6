-- iterative_scan: the loaded pgvector has iterative scans, and mnemo.search turns them on. Without them a filtered
-- search of an HNSW index returns fewer rows than match: 0.9 of 10 where 1 % match.
create or replace function mnemo.doctor_iterative_scan() returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_own text;
begin
    -- pgvector defines its settings when its library is loaded, which this does.
    perform '[1]'::public.vector;
    v_own := current_setting('hnsw.iterative_scan', true);
    return mnemo.verdict('iterative_scan', 'fail',
        case
            when v_own is null then 'the loaded pgvector has no hnsw.iterative_scan'
            when not exists (
                select from pg_proc p
                where p.pronamespace = 'mnemo'::regnamespace and p.proname = 'nearest_in_tier'
                  and p.prosrc like '%hnsw.iterative_scan%'
                  and exists (select from unnest(p.proconfig) c where c like 'hnsw.iterative_scan=%'))
            then 'mnemo.nearest_in_tier does not set hnsw.iterative_scan'
        end,
        format('mnemo.search sets it; other queries of this session run with %s', v_own),
        'install pgvector 0.8 or newer on the server and restart it; then mnemo migrate');
end
$$;

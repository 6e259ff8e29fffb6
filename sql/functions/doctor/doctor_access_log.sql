-- access_log: at most 16 MB. Recalls wait there to be counted; until then they strengthen nothing, and a crash loses them.
create or replace function mnemo.doctor_access_log() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('access_log', 'warn',
        case when b.bytes > 16777216 then format('mnemo.access_log has %s: recalls are not counted', pg_size_pretty(b.bytes)) end,
        format('recalls not counted yet: %s', pg_size_pretty(b.bytes)),
        'see that the job fold_accesses runs, then vacuum mnemo.access_log')
    from (select pg_total_relation_size('mnemo.access_log') as bytes) as b
$$;

-- Takes sets of copies that are to become one, or goes on with those of a worker that has not been heard of, and returns the
-- attempt: small ones at the end, once there are copy_sets_most of them; all up to one that says what has been forgotten for
-- longer than archive_compact_days, so that its content leaves the older ones. p_all: all that there are, also a single one
-- that another database wrote, which this one is a copy of.
-- No row when there is nothing to do, or somebody is at it.
-- Invariant kept: merged are sets of consecutive numbers, none of which is still on its way, so that the result is older than
-- those after it, and newer than those before.
create or replace function mnemo.begin_merge(worker text, p_all boolean default false) returns setof mnemo.copy_attempt
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_lease  interval := make_interval(secs => mnemo.setting('archive_lease_seconds'));
    v_before bigint;
    v_merges bigint[];
begin
    lock table mnemo.copy_attempt in share row exclusive mode;
    return query
    update mnemo.copy_attempt c
    set worker = begin_merge.worker, lease_until = clock_timestamp() + v_lease
    where c.merges <> '{}' and c.lease_until <= clock_timestamp()
    returning c.*;
    if found or exists (select from mnemo.copy_attempt c where c.merges <> '{}')
       or not exists (select from mnemo.policy p where p.kind = 'copy' and p.enabled) then
        return;
    end if;
    v_before := coalesce((select min(c.number) from mnemo.copy_attempt c), 9223372036854775807);
    select array_agg(c.number order by c.number) into v_merges
    from mnemo.copy c
    where c.number < v_before and (p_all or c.number <= (
        select max(f.number) from mnemo.copy f
        where f.forgotten > 0 and f.copied_at < mnemo.now() - make_interval(secs => 86400 * mnemo.setting('archive_compact_days'))
          and f.number < v_before and exists (select from mnemo.copy b where b.number < f.number)));
    if v_merges is null and (select count(*) from mnemo.copy) >= mnemo.setting('copy_sets_most') then
        -- From the first that is no greater than all after it together: each memory is merged a logarithmic number of times.
        select array_agg(c.number order by c.number) into v_merges
        from mnemo.copy c
        where c.number < v_before and c.number >= (
            select min(s.number)
            from (select d.number, d.rows, sum(d.rows) over (order by d.number desc) - d.rows as after from mnemo.copy d
                  where d.number < v_before) as s
            where s.rows <= s.after);
    end if;
    if cardinality(v_merges) > 1 or p_all and exists (
        select from mnemo.copy c join mnemo.object o on o.key = c.manifest_key
        where c.number = any (v_merges) and o.owner <> (select i.database from mnemo.identity i where i.is_current)
    ) then
        return query
        insert into mnemo.copy_attempt as c (attempt, seqs, merges, worker, lease_until)
        values (gen_random_uuid(), '{}', v_merges, begin_merge.worker, clock_timestamp() + v_lease)
        returning c.*;
    end if;
    perform mnemo.injection_point('copies.merge_begun');
end
$$;

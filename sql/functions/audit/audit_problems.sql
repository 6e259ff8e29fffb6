-- What is wrong with the entries p_first to p_last of a chain, and how the first of them links to what is before; one row a
-- problem, at the entry where it shows.
create or replace function mnemo.audit_problems(p_tenant text, p_first bigint, p_last bigint)
returns table (seq bigint, problem text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select e.seq, p.problem
    from (select a.seq, a.previous, a.hash, mnemo.audit_hash(a) is distinct from a.hash as changed,
                 coalesce(lag(a.seq) over w, c.seq, 0) as before_seq, coalesce(lag(a.hash) over w, c.hash, mnemo.audit_root()) as before_hash
          from mnemo.audit a
          left join mnemo.audit_checkpoint c on c.tenant = a.tenant
          where a.tenant = p_tenant and a.seq between p_first and p_last
          window w as (order by a.seq)) as e
    cross join lateral (values
        (case when e.changed then 'was changed: its hash is not that of its fields' end),
        (case when e.seq <= e.before_seq then format('comes before the end of what was removed, %s', e.before_seq)
              when e.seq = e.before_seq + 2 then format('entry %s before it is missing', e.before_seq + 1)
              when e.seq > e.before_seq + 2 then format('entries %s to %s before it are missing', e.before_seq + 1, e.seq - 1)
              when e.previous is distinct from e.before_hash then 'does not link to the entry before it' end)
    ) as p (problem)
    where p.problem is not null
$$;

-- copies: none waits longer than the copy policy says.
create or replace function mnemo.doctor_copies() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('copies', 'warn',
        case when c.lag > c.within then
            format('%s writes are not in object storage, the oldest since %s; the policy says within %s%s', c.pending,
                   date_trunc('second', c.oldest), c.within, '; last error: ' || c.error)
        end,
        case when c.policy is null then 'no copy policy: what is written is in this database alone, until it is archived'
             else format('%s writes wait, %s rows copied', c.pending, c.rows)
        end,
        'run mnemo worker where it reaches the object store; mnemo.copy_status says what keeps it')
    from mnemo.copy_status c
$$;

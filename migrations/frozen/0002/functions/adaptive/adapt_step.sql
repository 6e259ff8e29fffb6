-- A job's step: looks at one adaptive policy that nobody looked at for {"every": 60} seconds, changes it where the hot hit
-- rate asks for that (mnemo.adapt_policy), and returns 1; 0 when none is left to look at.
-- Locks: the policy, then its row in mnemo.adaptive; one that somebody else holds is passed over.
create or replace function mnemo.adapt_step(arguments jsonb default '{}') returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before   timestamptz := mnemo.now() - make_interval(secs => coalesce((arguments ->> 'every')::double precision, 60));
    v_policy   mnemo.policy;
    v_adaptive mnemo.adaptive;
begin
    select p.* into v_policy
    from mnemo.policy p join mnemo.adaptive a on a.policy = p.name
    where a.enabled and coalesce(a.checked_at <= v_before, true)
    order by p.name
    limit 1
    for update of p skip locked;
    if not found then
        return 0;
    end if;
    select * into v_adaptive from mnemo.adaptive a where a.policy = v_policy.name and a.enabled for update;
    if found then
        perform mnemo.adapt_policy(v_policy, v_adaptive);
    end if;
    return 1;
end
$$;

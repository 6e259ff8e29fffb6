-- Lets a policy tune its own number towards a hot hit rate, the share of accesses that the hot tier answers: an eviction
-- policy of hot its capacity_rows; a tier policy of hot, or a promotion policy to hot, by strength, its threshold. The number
-- stays from lowest to highest. It happens while the job adapt is enabled, which it is not at first; see mnemo.adapt_step.
-- MN010 for the name of no policy. MN002 for another kind of policy, one of a single collection, one that has this already,
-- a number out of range, and while another policy tunes itself.
create or replace function mnemo.add_adaptive_policy(
    policy        text,
    target        double precision,
    lowest        double precision,
    highest       double precision,
    learning_rate double precision default 0.5,
    deadband      double precision default 0.02,
    enabled       boolean default true
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy   mnemo.policy := mnemo.policy(policy, null);
    v_adaptive mnemo.adaptive;
begin
    lock table mnemo.adaptive in share row exclusive mode;
    if exists (select from mnemo.adaptive a where a.policy = v_policy.name) then
        raise exception 'policy % is adaptive already', quote_literal(policy) using errcode = 'MN002', hint = 'Change it with mnemo.alter_adaptive_policy.';
    elsif v_policy.collection is not null then
        raise exception 'policy % is only for collection %: the hit rate is of all', quote_literal(policy), quote_literal(v_policy.collection)
            using errcode = 'MN002';
    end if;
    v_adaptive := row(v_policy.name,
        case when v_policy.kind = 'eviction' and v_policy.tier = 'hot' then 'capacity_rows'
             when v_policy.kind = 'tier' and v_policy.tier = 'hot' and v_policy.rule = 'ltp' then 'threshold'
             when v_policy.kind = 'promotion' and v_policy.to_tier = 'hot' and v_policy.rule = 'ltp' then 'threshold' end,
        target, lowest, highest, learning_rate, deadband, enabled, 1, 0, mnemo.now(), 'unsettled', null, null, 'not looked at yet')::mnemo.adaptive;
    if v_adaptive.parameter is null then
        raise exception 'policy % (% by %) has no number that decides what is hot', quote_literal(policy), v_policy.kind, v_policy.rule
            using errcode = 'MN002';
    end if;
    perform mnemo.check_adaptive(v_adaptive);
    insert into mnemo.adaptive select v_adaptive.*;
end
$$;

-- What ends the stay of a memory of this collection in this tier: the tier policy (to_tier, leave_rule, threshold,
-- idle, minimum_stay; all null where none applies), and the ttl policy (age, counted from the entry into the tier where
-- the policy names one, else from the writing). A policy of the collection itself counts before a general one, and a
-- ttl of this tier before one of every tier. p_collection null: the general policies.
create or replace function mnemo.deadline_rule(
    p_tier           text,
    p_collection     text,
    out policy       text,
    out to_tier      text,
    out leave_rule   text,
    out threshold    double precision,
    out idle         interval,
    out minimum_stay interval,
    out age          interval,
    out age_of_stay  boolean
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select m.name, m.to_tier, m.rule, coalesce(m.threshold, t.leaves_below), m.after, coalesce(m.minimum_stay, interval '0'),
           x.after, x.tier is not null
    from mnemo.tier t
    left join lateral (
        select * from mnemo.policy p
        where p.kind = 'tier' and p.enabled and p.tier = t.tier and (p.collection is null or p.collection = p_collection)
        order by p.collection nulls last limit 1
    ) as m on true
    left join lateral (
        select * from mnemo.policy p
        where p.kind = 'ttl' and p.enabled and (p.tier is null or p.tier = t.tier)
          and (p.collection is null or p.collection = p_collection)
        order by p.collection nulls last, p.tier nulls last limit 1
    ) as x on true
    where t.tier = p_tier
$$;

-- compose(roles, words, kinds, weights, encoding, components, seed): the signs of one weighted sum, a composite
-- hypervector. Of words: their parts (mnemo.word_parts), each a symbol's hypervector as mnemo.encode_lexical makes it,
-- bound with random_hypervector('role:' || role) where the role is not empty. Of an embedding: component j times
-- random_hypervector(seed || ':' || j). Whatever comes twice adds up; a component that sums to zero takes that of the tie
-- hypervector. Weights and components are whole numbers of one scale; the order never matters. Null where all are zero.
create or replace function mnemo.compose(
    p_roles      text[],
    p_words      text[],
    p_kinds      "char"[],
    p_weights    bigint[],
    p_encoding   jsonb,
    p_components bigint[],
    p_seed       text
) returns bit
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_0 varbit := mnemo.lexical_root(0);
    v_1 varbit := mnemo.lexical_root(1);
    v_2 varbit := mnemo.lexical_root(2);
    v_3 varbit := mnemo.lexical_root(3);
    v_result varbit;
begin
    with symbol as materialized (
        select w.role, p.symbol, sum(w.weight * p.weight)::bigint as weight
        from unnest(p_roles, p_words, p_kinds, p_weights) as w (role, word, kind, weight)
        cross join lateral mnemo.word_parts(w.word, w.kind, p_encoding) as p
        group by w.role, p.symbol
    ), bound as materialized (
        select r.role, mnemo.random_hypervector('role:' || r.role)::varbit as hdv
        from (select distinct s.role from symbol s where s.role <> '') as r
    ), digest as (
        select s.role, sha256(convert_to(s.symbol, 'UTF8')) as digest, s.weight from symbol s where s.weight > 0 offset 0
    )
    select mnemo.bundle(v.hdv, v.weight) into v_result
    from (
        select case when d.role = '' then h.hdv else h.hdv # (select b.hdv from bound b where b.role = d.role) end as hdv, d.weight
        from digest d
        cross join lateral (
            select substring(v_0 from 8 * (substring(d.digest from 1 for 3)::integer % ({bits} / 8)) + 1 for {bits})
                 # substring(v_1 from 8 * (substring(d.digest from 4 for 3)::integer % ({bits} / 8)) + 1 for {bits})
                 # substring(v_2 from 8 * (substring(d.digest from 7 for 3)::integer % ({bits} / 8)) + 1 for {bits})
                 # substring(v_3 from 8 * (substring(d.digest from 10 for 3)::integer % ({bits} / 8)) + 1 for {bits}) as hdv
        ) as h
        union all
        select case when c.weight > 0 then r.hdv else ~ r.hdv end, abs(c.weight)
        from unnest(p_components) with ordinality as c (weight, place)
        cross join lateral (select mnemo.random_hypervector(p_seed || ':' || (c.place - 1))::varbit as hdv) as r
        where c.weight <> 0
    ) as v;
    return v_result;
end
$$;

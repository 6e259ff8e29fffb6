-- role_words(roles, values, encoding, scale): the words of the values of roles and their weights, each role scaled as a text
-- is (mnemo.weigh_words), all its words alike, times the role's weight, times scale / 256, rounded down. Values of a role
-- that the collection does not have are left out.
create or replace function mnemo.role_words(p_roles text[], p_values text[], p_encoding jsonb, p_scale integer)
returns table (role text, word text, kind "char", weight bigint)
language plpgsql immutable parallel safe
rows 5
set search_path = pg_catalog, pg_temp
as $$
declare
    v_role  text;
    v_words text[];
    v_kinds "char"[];
begin
    for v_role in
        select distinct r.role from unnest(p_roles) as r (role) where (p_encoding -> 'roles' ->> r.role)::bigint * p_scale / 256 > 0
    loop
        select array_agg(t.word), array_agg(t.kind) into v_words, v_kinds
        from (select distinct t.word, t.kind
              from unnest(p_roles, p_values) as r (role, value), mnemo.tokens(r.value) as t
              where r.role = v_role) as t;
        return query
            select v_role, w.word, w.kind, w.weight * ((p_encoding -> 'roles' ->> v_role)::bigint * p_scale / 256)
            from unnest(v_words, v_kinds, mnemo.weigh_words(v_words, v_kinds, array_fill(1::bigint, array[cardinality(v_words)]), p_encoding))
                as w (word, kind, weight);
    end loop;
end
$$;

-- Predicates joined by && or ||, in groups: the parser and the executor recurse once a term of a flat chain, and a long
-- $in would exhaust the stack. Null for none.
create or replace function mnemo.filter_joined(p_parts text[], p_sign text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select '(' || string_agg(g.joined, p_sign order by g.place) || ')'
    from (select '(' || string_agg(p.part, p_sign order by p.place) || ')' as joined, (p.place - 1) / 500 as place
          from unnest(p_parts) with ordinality as p (part, place)
          group by (p.place - 1) / 500) as g
$$;

-- What a value of a role adds to a memory before it is bound with the role: its words, all alike (mnemo.role_words).
create or replace function mnemo.value_hypervector(p_value text, p_encoding jsonb) returns bit
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.compose(array_agg(''::text), array_agg(t.word), array_agg(t.kind), array_agg(1::bigint), p_encoding, null::bigint[], null::text)
    from mnemo.tokens(mnemo.spaced_text(left(p_value, 200))) as t
$$;

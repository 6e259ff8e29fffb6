-- encode_lexical(text): the hypervector of a text by its words and their parts: the weighted bundle of its
-- lexical_symbols(). No model, no state; equal to Python's LexicalEncoder bit for bit. With
-- R[k] = random_hypervector('mnemo:lexical:1:' || k), k from 0 to 3, and h[k] the 24-bit big-endian number at byte 3k of
-- sha256(utf8(symbol)), a symbol's hypervector is the XOR of permute(R[k], -8 (h[k] mod D/8)): one hash and four windows
-- into doubled vectors, instead of D/256 hashes. Null for null; MN002 where the text is empty or nothing but space.
create or replace function mnemo.encode_lexical(p_text text) returns bit
language plpgsql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_0 varbit := mnemo.lexical_root(0);
    v_1 varbit := mnemo.lexical_root(1);
    v_2 varbit := mnemo.lexical_root(2);
    v_3 varbit := mnemo.lexical_root(3);
    v_result varbit;
begin
    select mnemo.bundle(
        substring(v_0 from 8 * (substring(s.digest from 1 for 3)::integer % ({bits} / 8)) + 1 for {bits})
            # substring(v_1 from 8 * (substring(s.digest from 4 for 3)::integer % ({bits} / 8)) + 1 for {bits})
            # substring(v_2 from 8 * (substring(s.digest from 7 for 3)::integer % ({bits} / 8)) + 1 for {bits})
            # substring(v_3 from 8 * (substring(s.digest from 10 for 3)::integer % ({bits} / 8)) + 1 for {bits}),
        s.weight)
    into v_result
    from (
        select sha256(convert_to(l.symbol, 'UTF8')) as digest, l.weight from mnemo.lexical_symbols(p_text) as l offset 0
    ) as s;
    if v_result is null then
        raise exception using errcode = 'MN002', message = 'invalid text: it is empty or nothing but space';
    end if;
    return v_result;
end
$$;

-- MN002 for a key that is none, MN019 where the server would log it or shows it: it is part of the statement.
create or replace function mnemo.check_vault_key(p_key bytea) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_exposed text := mnemo.exposing_setting();
    v_query   text := lower(current_query());
begin
    if (octet_length(p_key) >= 16) is not true then
        raise exception 'the key of a vault item has 16 bytes at least, better 32 random ones' using errcode = 'MN002';
    end if;
    if v_exposed is not null then
        perform mnemo.raise_exposed(v_exposed);
    end if;
    if position(encode(p_key, 'hex') in v_query) > 0 or position(lower(encode(p_key, 'base64')) in v_query) > 0
       or position(lower(encode(p_key, 'escape')) in v_query) > 0 then
        raise exception 'the key is part of the statement, where logs and views of the server show it'
            using errcode = 'MN019', hint = 'Use another key, and give it as a parameter: \bind in psql, or a driver.';
    end if;
end
$$;

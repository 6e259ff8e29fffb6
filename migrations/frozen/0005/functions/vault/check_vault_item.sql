-- MN002 for what no vault item can have.
create or replace function mnemo.check_vault_item(p_kind text, p_metadata jsonb, p_bytes bigint, p_files integer) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if (p_kind in ('memory', 'conversation', 'codebase')) is not true then
        raise exception 'a vault item is a memory, a conversation or a codebase, not %', coalesce(quote_literal(p_kind), 'null') using errcode = 'MN002';
    end if;
    if (jsonb_typeof(p_metadata) = 'object') is not true then
        raise exception 'the metadata of a vault item is a JSON object' using errcode = 'MN002';
    end if;
    if (p_bytes >= 0) is not true or p_files < 0 then
        raise exception 'a vault item cannot have fewer than 0 bytes or files' using errcode = 'MN002';
    end if;
end
$$;

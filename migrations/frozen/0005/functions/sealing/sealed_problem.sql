-- What is wrong with a memory's sealed parts, by what its collection wants sealed; null where nothing is. A sealed value is an
-- object of "sealed" (base64) and, where it can be asked for, "blind": a token (32 hexadecimal digits), or an array of them.
-- "$seal" is the id of the data key that opens them all.
create or replace function mnemo.sealed_problem(p_collection mnemo.collection, p_content text, p_attributes jsonb) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_content boolean := coalesce(mnemo.is_sealed(p_content), false);
    v_name    text;
    v_value   jsonb;
begin
    if (p_collection).sealed = '{}' and not v_content and (p_attributes ? '$seal') is not true then
        return null;
    end if;
    if '$content' = any ((p_collection).sealed) and not v_content then
        return format('contents are sealed in collection %s: this one came in clear', quote_literal((p_collection).name));
    end if;
    foreach v_name in array (p_collection).sealed loop
        v_value := p_attributes -> v_name;
        continue when v_value is null;
        if not (jsonb_typeof(v_value) = 'object' and coalesce(v_value ->> 'sealed', '') ~ '^[A-Za-z0-9+/]+=*$'
                and v_value - array['sealed', 'blind'] = '{}'
                and not jsonb_path_exists(v_value, '$.blind[*] ? (@.type() != "string" || !(@ like_regex "^[0-9a-f]{32}$"))')
                and coalesce(jsonb_typeof(v_value -> 'blind'), 'array') in ('string', 'array')) then
            return format('attribute %s is sealed in collection %s: its value came in clear', quote_literal(v_name), quote_literal((p_collection).name));
        end if;
    end loop;
    if v_content and p_content !~ '^mnemo-sealed:1:[A-Za-z0-9+/]+=*$' then
        return 'content is not as sealed contents are';
    end if;
    if not pg_input_is_valid(coalesce(p_attributes ->> '$seal', case when v_content or p_attributes ?| (p_collection).sealed then '' else
                                      '00000000-0000-0000-0000-000000000000' end), 'uuid') then
        return 'a sealed memory names its data key: the attribute $seal must be a UUID';
    end if;
    return null;
end
$$;

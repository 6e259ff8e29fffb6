-- What an entry's hash has to be: SHA-256 of its fields in this order, each after its length in bytes (four bytes, big-endian;
-- -1 and nothing for null): the text 'mnemo audit 1'; tenant; seq; at, in microseconds since 1970 in UTC; actor; login;
-- client; application; action; subject; detail as PostgreSQL writes jsonb; previous. Numbers are eight bytes, big-endian;
-- text is UTF-8. No setting of a session changes it. docs/audit.md checks an exported trail by it, without Mnemo.
create or replace function mnemo.audit_hash(p_entry mnemo.audit) returns bytea
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_field bytea;
    v_bytes bytea := '';
begin
    foreach v_field in array array[
        'mnemo audit 1'::bytea,
        convert_to(p_entry.tenant, 'UTF8'),
        int8send(p_entry.seq),
        int8send((extract(epoch from p_entry.at) * 1000000)::bigint),
        convert_to(p_entry.actor, 'UTF8'),
        convert_to(p_entry.login, 'UTF8'),
        convert_to(p_entry.client, 'UTF8'),
        convert_to(p_entry.application, 'UTF8'),
        convert_to(p_entry.action, 'UTF8'),
        convert_to(p_entry.subject, 'UTF8'),
        convert_to(p_entry.detail::text, 'UTF8'),
        p_entry.previous]
    loop
        v_bytes := v_bytes || int4send(coalesce(octet_length(v_field), -1)) || coalesce(v_field, '');
    end loop;
    return sha256(v_bytes);
end
$$;

-- The id of a tenant's one index key.
create or replace function mnemo.index_key_id(p_tenant text) returns uuid
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select encode(substring(sha256(convert_to('mnemo/index/' || p_tenant, 'UTF8')) from 1 for 16), 'hex')::uuid
$$;

-- The bucket of a new memory by the rule of its collection: leading bits of the hypervector, or of the
-- SHA-256 of its context or tenant. A memory without context falls back to its hypervector.
create or replace function mnemo.bucket_for(rule text, hdv bit varying, context text, tenant text) returns smallint
language sql immutable parallel safe
as $$
    select case
        when rule = 'context' and context is not null then
            ((get_byte(sha256(convert_to(context, 'UTF8')), 0) << 2) | (get_byte(sha256(convert_to(context, 'UTF8')), 1) >> 6))
        when rule = 'tenant' then
            ((get_byte(sha256(convert_to(tenant, 'UTF8')), 0) << 2) | (get_byte(sha256(convert_to(tenant, 'UTF8')), 1) >> 6))
        else substring(hdv from 1 for 10)::bit(10)::integer
    end::smallint
$$;

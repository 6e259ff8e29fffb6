-- Raises MN016. A quota is of the tenant that asks, which may know all that is said here.
create or replace function mnemo.refuse_quota(p_tenant text, p_quota text, p_limit bigint, p_used bigint, p_asked bigint, p_detail text)
returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'tenant % has a quota of % %: % are used and % more were asked for',
        quote_literal(p_tenant), p_limit, p_quota, p_used, p_asked
        using errcode = 'MN016', detail = p_detail;
end
$$;

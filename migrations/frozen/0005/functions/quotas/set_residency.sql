-- Says which object stores may hold data of a tenant, by their URLs or those of folders around them. Where the store in use is
-- none of them, its memories are not archived nor copied from now on, exports and copies under way that may have read some are
-- given up, archived ones are brought back by the next worker, and the copies of all tenants are made anew without its rows.
-- Where it is one again, its memories are queued to be copied. MN002 for no URL. Called by members of mnemo_owner.
-- Invariant kept: no attempt that this did not give up has read a row of a tenant that may not leave. Objects written before
-- go with the next compaction and the grace period; the doctor says of whom there are any.
-- Locks: mnemo.quota, segments and copies, for which writers and workers wait.
create or replace function mnemo.set_residency(tenant text, stores text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_bad text;
begin
    perform mnemo.check_tenant(tenant);
    if coalesce(cardinality(stores), 0) = 0 then
        raise exception 'name a store at least' using errcode = 'MN002', hint = 'mnemo.remove_residency(tenant) allows all.';
    end if;
    select coalesce(s.url, 'null') into v_bad
    from unnest(stores) as s (url)
    where s.url is null or s.url !~ '^[a-z0-9+.-]+://' or s.url ~ '/[.][.]?(/|$)'
    limit 1;
    if found then
        raise exception '% is no URL of an object store', quote_literal(v_bad) using errcode = 'MN002', hint = 'Such as s3://bucket/prefix or file:///directory.';
    end if;
    perform mnemo.change_residency(tenant, stores);
end
$$;

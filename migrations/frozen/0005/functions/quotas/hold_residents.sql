-- Notes of every residency whether the store in use is one of its own; none in use yet: then nobody is held.
create or replace function mnemo.hold_residents() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update mnemo.residency r set held = n.held
    from (select o.tenant, exists (select from mnemo.identity i where i.is_current and not mnemo.store_is_in(i.store, o.stores)) as held
          from mnemo.residency o) as n
    where n.tenant = r.tenant and n.held <> r.held
$$;

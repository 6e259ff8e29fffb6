-- Says by which name this database goes in an object store, and which token is to take the place of the one in its
-- owner.json there. The first call gives it a name; one on a copy of the database gives the copy a name of its own (forked).
-- MN014 for another store than before, unless `move`: then all objects must be there, and no tenant may have any that must
-- not (mnemo.residency); who may not have been in the store before is copied from then on.
-- Invariant kept: a token is noted here before it is written there, and is the current one only once it was
-- (mnemo.accept_token). Locks: mnemo.identity.
create or replace function mnemo.attach_store(store text, move boolean default false)
returns table (database uuid, token uuid, next_token uuid, forked boolean)
language plpgsql volatile
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_fingerprint text := mnemo.fingerprint();
    v_identity    mnemo.identity;
    v_forked      boolean := false;
    v_held        text[] := mnemo.held_tenants();
    v_moved       boolean := false;
    v_first       boolean;
    v_tenant      text;
begin
    if store is null or store = '' then
        raise exception 'store must be the URL of an object store' using errcode = 'MN002';
    end if;
    lock table mnemo.identity in share row exclusive mode;
    select i.* into v_identity from mnemo.identity i where i.is_current;
    v_first := not found;
    if v_first then
        insert into mnemo.identity (database, is_current, store, fingerprint, token, since)
        values (gen_random_uuid(), true, store, v_fingerprint, gen_random_uuid(), mnemo.now());
    else
        if v_identity.store <> store and not coalesce(move, false) then
            raise exception 'the archive of this database is in %, not in %', quote_literal(v_identity.store), quote_literal(store)
                using errcode = 'MN014', hint = 'Copy all objects there, then: mnemo archive attach --move.';
        end if;
        v_moved := v_identity.store <> store;
        if v_identity.fingerprint <> v_fingerprint then
            perform mnemo.fork_identity(v_identity.database, v_identity.token, v_identity.next_token);
            v_forked := true;
        end if;
    end if;
    update mnemo.identity i
    set store = attach_store.store, next_token = coalesce(i.next_token, gen_random_uuid())
    where i.is_current
    returning i.* into v_identity;
    perform mnemo.hold_residents();
    if v_moved then
        select h.tenant into v_tenant
        from unnest(mnemo.held_tenants()) as h (tenant)
        where exists (select from mnemo.archived_memory a where a.tenant = h.tenant)
           or exists (select from mnemo.copy) and exists (select from mnemo.activity a where a.tenant = h.tenant)
        limit 1;
        if found then
            raise exception 'data of tenant % must not be in %', quote_literal(v_tenant), quote_literal(store)
                using errcode = 'MN014', hint = 'mnemo.set_residency(tenant, stores) before the move takes it out of the store in use.';
        end if;
        perform mnemo.queue_tenant(h.tenant) from unnest(v_held) as h (tenant) where h.tenant <> all (mnemo.held_tenants());
    end if;
    perform mnemo.injection_point('archive.attached');
    if v_first or v_moved or v_forked then
        -- Of its URL nothing that could be a secret.
        perform mnemo.record_audit('store.attach', regexp_replace(store, '(?<=//)[^/@]*@|[?#].*$', '', 'g'),
                                   jsonb_build_object('database', v_identity.database, 'moved', v_moved, 'forked', v_forked), '');
    end if;
    return query select v_identity.database, v_identity.token, v_identity.next_token, v_forked;
end
$$;

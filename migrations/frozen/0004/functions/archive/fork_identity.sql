-- Gives this database a new name in its object store, since another copy goes by the old one; false when it has got one
-- meanwhile, or another token: the caller looked at what is no longer so. What is under way is given up, since its objects
-- lie under the old name: they are the other copy's to delete, as are those needed no more.
-- Invariant kept: every object that is referenced stays noted, under the name of its owner. Locks: mnemo.identity,
-- segments, copies.
create or replace function mnemo.fork_identity(p_database uuid, p_token uuid, p_next_token uuid) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_identity mnemo.identity;
begin
    lock table mnemo.identity in share row exclusive mode;
    select i.* into v_identity from mnemo.identity i where i.is_current;
    if (v_identity.database, v_identity.token, v_identity.next_token) is distinct from (p_database, p_token, p_next_token) then
        return false;
    end if;
    update mnemo.identity i set is_current = false, next_token = null where i.is_current;
    insert into mnemo.identity (database, is_current, store, fingerprint, token, since)
    values (gen_random_uuid(), true, v_identity.store, mnemo.fingerprint(), gen_random_uuid(), mnemo.now());
    update mnemo.segment s
    set state = case s.state when 'exporting' then 'sealed' else 'archived' end, attempt = null, lease_until = null
    where s.attempt is not null;
    -- What it was to copy is still in the queue.
    delete from mnemo.copy_attempt c;
    delete from mnemo.object o
    where not exists (select from mnemo.referenced_object r where r.key = o.key);
    perform mnemo.injection_point('archive.forked');
    return true;
end
$$;

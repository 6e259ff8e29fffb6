-- MN018 where this tenant has epochs and this database is not the one that their keys belong to: a copy, or one that was failed
-- over to. Called first by whatever starts an epoch, shreds or destroys a key. For mnemo_vault.
-- Invariant kept: no database destroys a key, or marks one to be destroyed, that the database it was copied from may need.
create or replace function mnemo.require_vault_home() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from mnemo.vault_key k where k.tenant = mnemo.tenant())
       and not exists (select from mnemo.vault_home h where h.fingerprint = mnemo.fingerprint()) then
        raise exception 'this database is a copy of the one that the keys of this vault belong to, or was failed over to: see mnemo vault adopt'
            using errcode = 'MN018', hint = 'That, or mnemo.adopt_vault(), takes them over once the other one is gone, or has a key store of its own.';
    end if;
end
$$;

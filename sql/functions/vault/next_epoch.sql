-- The number of the epoch that mnemo.start_epoch will take: one more than any this tenant has had. For mnemo_vault.
create or replace function mnemo.next_epoch() returns integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(max(k.epoch), 0) + 1 from mnemo.vault_key k where k.tenant = (select mnemo.tenant())
$$;

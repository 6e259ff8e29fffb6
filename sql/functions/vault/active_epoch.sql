-- Whose vault this is, the epoch under which data keys are wrapped now (null: there is none, see mnemo.start_epoch), what its key
-- is checked by, and the lowest number that the next epoch can have: one more than any has had. For mnemo_vault.
create or replace function mnemo.active_epoch() returns table (tenant text, epoch integer, check_value bytea, next integer)
language sql stable
rows 1
set search_path = pg_catalog, pg_temp
as $$
    select (select mnemo.tenant()), min(k.epoch) filter (where k.state = 'active'),
           (array_agg(k.check_value) filter (where k.state = 'active'))[1], coalesce(max(k.epoch), 0) + 1
    from mnemo.vault_key k
    where k.tenant = (select mnemo.tenant())
$$;

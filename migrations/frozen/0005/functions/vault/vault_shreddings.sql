-- The shreddings of this tenant, the oldest first: all, or only those that are, or are not, finished. For mnemo_vault.
create or replace function mnemo.vault_shreddings(finished boolean default null)
returns table (id uuid, whole_tenant boolean, epochs integer[], requested_at timestamptz, requested_by name,
               finished_at timestamptz, certificate jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select s.id, s.whole_tenant, s.epochs, s.requested_at, s.requested_by, s.finished_at, s.certificate
    from mnemo.shredding s
    where s.tenant = (select mnemo.tenant())
      and (vault_shreddings.finished is null or (s.finished_at is not null) = vault_shreddings.finished)
    order by s.id
$$;

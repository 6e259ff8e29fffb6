-- What the vaults hold, as far as it can be known without keys; own tenant.
create or replace view mnemo.vault_items as
select i.id, i.kind, i.name, i.metadata, i.bytes, i.stored_bytes, i.chunks, i.files, i.happened_at, i.created_at, i.scheme, i.tenant
from mnemo.vault_item i;

comment on view mnemo.vault_items is 'Vault items: kind, name, metadata, sizes and times. What they hold only their keys tell.';

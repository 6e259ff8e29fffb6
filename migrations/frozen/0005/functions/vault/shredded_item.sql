-- What a certificate says of an item: enough to tell which it was to whoever knows, and nothing of what it held.
create or replace function mnemo.shredded_item(p_item mnemo.vault_item) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object('id', p_item.id, 'name_sha256', encode(sha256(convert_to(p_item.name, 'UTF8')), 'hex'),
                              'kind', p_item.kind, 'scheme', p_item.scheme, 'created_at', p_item.created_at)
$$;

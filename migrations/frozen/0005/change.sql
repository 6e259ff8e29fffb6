-- Items belong to tenants; those that are there to the default one.
alter table mnemo.item add column tenant text not null default 'default';
alter table mnemo.item alter column tenant drop default;
alter table mnemo.item drop constraint item_pkey;
alter table mnemo.item add primary key (tenant, name);

-- A collection may say which attributes come sealed; those that are there want none.
drop function mnemo.create_collection(text, integer, text, text, boolean, boolean, double precision, text, jsonb, jsonb);
alter table mnemo.collection add column sealed text[] not null default '{}' constraint collection_sealed_check
    check (array_position(sealed, null) is null and not sealed && array['', 'scores'] and array_to_string(sealed, '') !~ '[.]'
           and array_to_string(array_remove(sealed, '$content'), '') !~ '[$]');
comment on column mnemo.collection.sealed is 'Attributes whose values come sealed by the client, never in clear; $content: the contents too.';

-- Items belong to tenants; those that are there to the default one.
alter table mnemo.item add column tenant text not null default 'default';
alter table mnemo.item alter column tenant drop default;
alter table mnemo.item drop constraint item_pkey;
alter table mnemo.item add primary key (tenant, name);

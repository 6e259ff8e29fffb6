-- The item memory: names and the hypervectors they stand for, of each tenant, searched by mnemo.cleanup.
create table mnemo.item (
    name   text not null,
    hdv    bit({bits}) storage plain not null,
    tenant text not null,
    primary key (tenant, name)
);

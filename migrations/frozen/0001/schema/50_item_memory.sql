-- The item memory: names and the hypervectors they stand for, searched by mnemo.cleanup.
create table mnemo.item (
    name text primary key,
    hdv bit({bits}) storage plain not null
);

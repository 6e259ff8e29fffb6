-- Numbers that every function of this database must agree on. `bits` and `sketch_bits` are fixed at install.
create table mnemo.setting (
    name        text primary key,
    value       double precision not null,
    description text not null
);

comment on table mnemo.setting is 'Numbers that the engine agrees on; bits and sketch_bits never change after install.';

-- The tiers, fastest first.
create table mnemo.tier (
    tier         text primary key,
    place        smallint not null unique,
    leaves_below double precision check (leaves_below > 0 and leaves_below <= 1)
);

comment on table mnemo.tier is 'The tiers of memory.';
comment on column mnemo.tier.place is '0 for the fastest.';
comment on column mnemo.tier.leaves_below is 'Strength below which a memory may leave the tier; null: never by decay.';

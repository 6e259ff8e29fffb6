-- Numbers that every function of this database must agree on. `bits` and `sketch_bits` are fixed at install.
create table mnemo.setting (
    name        text primary key,
    value       double precision not null,
    description text not null
);

comment on table mnemo.setting is 'Numbers that the engine agrees on; bits and sketch_bits never change after install.';

-- The tiers, fastest first. What is in the archive has left mnemo.memory for object storage.
create table mnemo.tier (
    tier         text primary key,
    place        smallint not null unique,
    leaves_below double precision check (leaves_below > 0 and leaves_below <= 1)
);

comment on table mnemo.tier is 'The tiers of memory.';
comment on column mnemo.tier.place is '0 for the fastest.';
comment on column mnemo.tier.leaves_below is 'Strength below which a memory may leave the tier; null: never by decay.';

-- The tier of a segment: 0 is hot; 1 is warm, and below 0 what consolidations built beside it; from 2 on cold; above
-- 1,000,000 archived.
create or replace function mnemo.tier_of_segment(p_segment integer) returns text
language sql immutable parallel safe
as $$
    select case when p_segment = 0 then 'hot' when p_segment < 2 then 'warm' when p_segment <= 1000000 then 'cold' else 'archive' end
$$;

insert into mnemo.tier (tier, place, leaves_below) values ('hot', 0, 0.7), ('warm', 1, 0.3), ('cold', 2, null), ('archive', 3, null);

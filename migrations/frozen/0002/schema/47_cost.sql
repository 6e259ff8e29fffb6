-- What each place for memories costs, and whom it is for. The archive is one of them: where memories lie that no
-- query needs soon.
create table mnemo.tier_price (
    tier               text primary key,
    place              smallint not null unique,
    price_per_tb_month numeric(10, 4) not null check (price_per_tb_month >= 0),
    latency_target_ms  double precision not null check (latency_target_ms > 0 and latency_target_ms < 'infinity'),
    accesses_per_hour  double precision not null check (accesses_per_hour >= 0 and accesses_per_hour < 'infinity')
);

comment on table mnemo.tier_price is 'The price list, and the rate of access from which a memory is worth it.';
comment on column mnemo.tier_price.place is '0 for the fastest.';
comment on column mnemo.tier_price.price_per_tb_month is 'Dollars; a TB is 1,024 GB of 1,024^3 bytes.';
comment on column mnemo.tier_price.latency_target_ms is 'How long a recall from there should take; what mnemo.best_distribution reckons with.';
comment on column mnemo.tier_price.accesses_per_hour is 'A memory used more often than this belongs there, unless in a faster place.';

insert into mnemo.tier_price (tier, place, price_per_tb_month, latency_target_ms, accesses_per_hour) values
    ('hot', 0, 500, 1, 1), ('warm', 1, 100, 20, 0.1), ('cold', 2, 25, 100, 0.01), ('archive', 3, 2, 1000, 0);

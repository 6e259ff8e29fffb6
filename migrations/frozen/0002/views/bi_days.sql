-- The calendar of the facts: every day (UTC) from the installation, or the first access, to today.
create or replace view mnemo.bi_days as
select d.day, extract(year from d.day)::integer as year, extract(quarter from d.day)::integer as quarter,
       extract(month from d.day)::integer as month, extract(day from d.day)::integer as day_of_month,
       extract(isodow from d.day)::integer as day_of_week, to_char(d.day, 'IYYY-"W"IW') as iso_week
from (
    select g.at::date as day
    from generate_series(
        least((select min(c.created_at) at time zone 'UTC' from mnemo.collection c), (select min(a.day) from mnemo.access_daily a))::date,
        mnemo.now() at time zone 'UTC', interval '1 day') as g (at)
) as d;

comment on view mnemo.bi_days is 'For BI tools: the days that the facts fall on.';
comment on column mnemo.bi_days.day is 'The day, UTC.';
comment on column mnemo.bi_days.year is 'Its year.';
comment on column mnemo.bi_days.quarter is 'Its quarter, 1 to 4.';
comment on column mnemo.bi_days.month is 'Its month, 1 to 12.';
comment on column mnemo.bi_days.day_of_month is '1 to 31.';
comment on column mnemo.bi_days.day_of_week is '1 Monday to 7 Sunday.';
comment on column mnemo.bi_days.iso_week is 'Its ISO week, such as 2030-W07.';

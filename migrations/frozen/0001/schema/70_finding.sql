-- What a check of mnemo.doctor found.
create type mnemo.finding as (
    "check" text,
    status  text,
    detail  text,
    advice  text
);

-- Runs once, as superuser, in the database mnemo of a new data directory.
create extension vector;
create extension pgcrypto;
create extension pg_cron;

create tablespace mnemo_hot location '/var/lib/mnemo/hot';
create tablespace mnemo_warm location '/var/lib/mnemo/warm';
create tablespace mnemo_cold location '/var/lib/mnemo/cold';

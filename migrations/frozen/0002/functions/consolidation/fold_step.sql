-- The job function around mnemo.fold_accesses: the next rows of the access log. {"rows": 1000}
create or replace function mnemo.fold_step(arguments jsonb default '{}') returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.fold_accesses(coalesce((arguments ->> 'rows')::integer, 1000))
$$;

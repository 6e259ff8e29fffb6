-- extensions: pgvector from 0.8, the first with iterative scans, and pgcrypto are installed.
create or replace function mnemo.doctor_extensions() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('extensions', 'fail',
        string_agg(case
            when e.extversion is null then format('%s is not installed', n.name)
            when string_to_array(substring(e.extversion from '^[0-9.]+'), '.')::integer[] < n.oldest
                then format('%s is %s, from %s on is needed', n.name, e.extversion, array_to_string(n.oldest, '.'))
        end, '; ' order by n.name),
        string_agg(format('%s %s', n.name, e.extversion), ', ' order by n.name),
        'create extension, or alter extension ... update, in this database')
    from (values ('vector', array[0, 8]), ('pgcrypto', array[1])) as n (name, oldest)
    left join pg_extension e on e.extname = n.name
$$;

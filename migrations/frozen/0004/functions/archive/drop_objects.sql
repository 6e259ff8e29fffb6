-- Notes that the objects of an attempt are needed no more. They stay in the store for the grace period; those of another
-- database, which are none of ours to delete, are held there as long.
create or replace function mnemo.drop_objects(p_attempt uuid) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update mnemo.object o set state = 'dropped', changed_at = clock_timestamp()
    where o.attempt = p_attempt and o.state in ('writing', 'stored');
$$;

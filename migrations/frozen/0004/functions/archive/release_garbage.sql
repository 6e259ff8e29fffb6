-- Keeps objects after all that were to be deleted, and are not yet: a copy of the database turned out to need them.
create or replace function mnemo.release_garbage(keys text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    update mnemo.object o set state = 'dropped', changed_at = clock_timestamp()
    where o.key = any (release_garbage.keys) and o.state = 'deleting';
    perform mnemo.injection_point('gc.released');
end
$$;

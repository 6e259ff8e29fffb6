-- Notes that objects of an attempt are in the store, read back, and of the length and SHA-256 that were noted before.
-- MN012 when the attempt is no longer under way, MN014 for one that was not noted.
create or replace function mnemo.note_stored(attempt uuid, keys text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text;
begin
    perform mnemo.require_attempt(note_stored.attempt);
    select k.key into v_key
    from unnest(note_stored.keys) as k (key)
    where not exists (select from mnemo.object o
                      where o.key = k.key and o.attempt = note_stored.attempt and o.state in ('writing', 'stored'))
    limit 1;
    if found then
        raise exception 'object % was not noted for attempt %', quote_literal(v_key), note_stored.attempt using errcode = 'MN014';
    end if;
    update mnemo.object o set state = 'stored', changed_at = clock_timestamp()
    where o.key = any (note_stored.keys) and o.state = 'writing';
    perform mnemo.injection_point('archive.objects_stored');
end
$$;

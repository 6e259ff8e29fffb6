-- Notes the objects that an attempt is about to write, before it does. One noted before, by the same attempt, may be there
-- already, whole or not. MN012 when the attempt is no longer under way; MN014 for a key that is not in its folder, or is
-- being deleted.
-- Invariant kept: no object is in the store that this database does not know of.
create or replace function mnemo.note_objects(attempt uuid, keys text[], sizes bigint[], hashes bytea[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_owner uuid := (select i.database from mnemo.identity i where i.is_current);
    v_key   text;
begin
    perform mnemo.require_attempt(note_objects.attempt);
    select k.key into v_key
    from unnest(note_objects.keys) as k (key)
    where k.key not like format('%s/%%/%s/%%', v_owner, note_objects.attempt)
       or exists (select from mnemo.object o
                  where o.key = k.key and (o.attempt <> note_objects.attempt or o.state not in ('writing', 'stored')))
    limit 1;
    if found or v_owner is null then
        raise exception 'object % is not for attempt % to write', coalesce(quote_literal(v_key), 'of nobody'), note_objects.attempt
            using errcode = 'MN014';
    end if;
    insert into mnemo.object (key, owner, attempt, state, bytes, sha256, changed_at)
    select k.key, v_owner, note_objects.attempt, 'writing', k.bytes, k.sha256, clock_timestamp()
    from unnest(note_objects.keys, note_objects.sizes, note_objects.hashes) as k (key, bytes, sha256)
    on conflict (key) do nothing;
    perform mnemo.injection_point('archive.objects_noted');
end
$$;

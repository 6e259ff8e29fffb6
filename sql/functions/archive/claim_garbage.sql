-- Takes what mnemo.garbage names, at most `most` objects, to delete them, manifests first: nobody can come to need one of them
-- any more. Whoever takes them deletes them from the store and then calls mnemo.forget_objects; from one that died the next
-- call returns them again. MN014 when another copy of the database has made this one take another name meanwhile.
-- Invariant kept: an object is noted as being deleted before it is, and is referenced by nothing.
create or replace function mnemo.claim_garbage(database uuid, keys text[], held text[], most integer default 1000)
returns table (key text, reason text)
language plpgsql volatile
rows 100
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_keys    text[];
    v_reasons text[];
    v_objects bigint;
begin
    -- Whoever takes another name waits, and finds these gone.
    perform from mnemo.identity i where i.is_current and i.database = claim_garbage.database for share;
    if not found then
        raise exception 'this database no longer goes by %', database using errcode = 'MN014';
    end if;
    select array_agg(g.key), array_agg(g.reason) into v_keys, v_reasons
    from (select g.key, g.reason from mnemo.garbage(keys, held) as g
          order by g.key not like '%.manifest.json', g.key limit most) as g;
    perform from mnemo.object o where o.key = any (v_keys) order by o.key for update of o;
    insert into mnemo.object as o (key, owner, attempt, state, bytes, sha256, changed_at)
    select w.key, claim_garbage.database,
           case when pg_input_is_valid(split_part(w.key, '/', 3), 'uuid') then split_part(w.key, '/', 3)::uuid else claim_garbage.database end,
           'deleting', 0, sha256(''), clock_timestamp()
    from unnest(v_keys) as w (key)
    on conflict (key) do update set state = 'deleting', changed_at = clock_timestamp()
    -- Again, as it is now that it is locked.
    where o.state in ('dropped', 'deleting');
    perform mnemo.injection_point('gc.claimed');
    return query
    select w.key, w.reason
    from unnest(v_keys, v_reasons) with ordinality as w (key, reason, place)
    join mnemo.object o on o.key = w.key and o.state = 'deleting'
    where not exists (select from mnemo.referenced_object r where r.key = w.key)
    order by w.place;
    get diagnostics v_objects = row_count;
    if v_objects > 0 then
        perform mnemo.record_audit('object.delete', claim_garbage.database::text, jsonb_build_object('objects', v_objects), '');
    end if;
end
$$;

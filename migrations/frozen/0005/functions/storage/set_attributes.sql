-- Replaces the attributes of a memory, archived or not; what follows from scores among them is computed anew, and its strength stays as it is.
-- MN005 for an id that this tenant does not have, MN002 unless an object, and for scores that are none,
-- for a value in clear of a sealed attribute, and for another $seal than there is.
-- Invariant kept: the activity row is locked first, so that a move of the same memory cannot lose the change; what it grows by
-- is charged to the tenant's quota, whose row is locked before.
create or replace function mnemo.set_attributes(id uuid, attributes jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_segment    integer;
    v_name       text;
    v_was        record;
    v_attributes jsonb;
    v_counted    boolean;
begin
    if jsonb_typeof(set_attributes.attributes) is distinct from 'object' then
        raise exception 'attributes must be a JSON object, not %', coalesce(jsonb_typeof(set_attributes.attributes), 'SQL null') using errcode = 'MN002';
    end if;
    select r.name into v_name from mnemo.ranged_attribute r where mnemo.holds_array(set_attributes.attributes, r.name);
    if found then
        raise exception 'attribute % is indexed and takes no array', quote_literal(v_name) using errcode = 'MN002';
    end if;
    v_attributes := mnemo.scored_attributes(set_attributes.attributes);
    -- Waits for a bulk load under way, which may rewrite this memory, before it is locked.
    perform mnemo.lock_for_writing();
    v_counted := mnemo.lock_quota();
    -- It may go to the archive, or come back from there, while it is waited for: then it is looked for again.
    loop
        select a.segment into v_segment
        from mnemo.activity a
        where a.bucket = mnemo.bucket_of(set_attributes.id) and a.id = set_attributes.id and a.tenant = (select mnemo.tenant())
        for update;
        if found then
            update mnemo.memory m set attributes = v_attributes
            where m.segment = v_segment and m.bucket = mnemo.bucket_of(set_attributes.id) and m.id = set_attributes.id
              and m.attributes is distinct from v_attributes
            returning m.context, m.collection, m.content, m.occurred_at, old.attributes into v_was;
            exit;
        end if;
        update mnemo.archived_memory a set attributes = v_attributes
        where a.bucket = mnemo.bucket_of(set_attributes.id) and a.id = set_attributes.id and a.tenant = (select mnemo.tenant())
        returning a.context, a.collection, '' as content, a.occurred_at, old.attributes into v_was;
        exit when found;
        if not exists (select from mnemo.activity a
                       where a.bucket = mnemo.bucket_of(set_attributes.id) and a.id = set_attributes.id and a.tenant = (select mnemo.tenant())) then
            perform mnemo.raise_unknown_memory(set_attributes.id);
        end if;
    end loop;
    if found then
        perform mnemo.check_resealed(v_was.collection, v_was.attributes, v_attributes);
        if v_counted then
            perform mnemo.charge(0, octet_length(v_attributes::text) - octet_length(v_was.attributes::text), 1);
        end if;
        perform mnemo.queue_copies(array[set_attributes.id]);
        perform mnemo.log_attributes(v_was.collection, v_was.content, v_was.occurred_at, v_was.attributes, v_attributes);
        perform mnemo.publish('memory.write', jsonb_build_object('changed', 'attributes', 'time', mnemo.now()), v_was.context, set_attributes.id);
    end if;
end
$$;

-- The trigger behind writes on the view mnemo.memories: it calls the functions that own each change and fills NEW,
-- so that RETURNING works. A change of attributes meanwhile is a serialization failure, not lost. MN002 for a column that a plain write cannot set, and for moving a memory that stays pinned.
create or replace function mnemo.write_through() returns trigger
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_refused text;
begin
    if tg_op = 'DELETE' then
        if not mnemo.forget(old.id) then
            -- Someone else deleted it meanwhile: this row does not count.
            return null;
        end if;
        return old;
    end if;
    if tg_op = 'INSERT' then
        select c.name into v_refused
        from (values ('id', new.id is not null), ('access_count', new.access_count is not null),
                     ('last_access', new.last_access is not null), ('created_at', new.created_at is not null)) as c (name, given)
        where c.given limit 1;
        if found then
            raise exception 'column % of mnemo.memories cannot be inserted; the engine sets it', quote_ident(v_refused) using errcode = 'MN002';
        end if;
        new.id := mnemo.remember(
            new.content, hdv => new.hdv, context => new.context, session => new.session, occurred_at => new.occurred_at,
            attributes => coalesce(new.attributes, '{}'), key => new.key, collection => coalesce(new.collection, 'memories'),
            importance => new.strength, tier => coalesce(new.tier, 'hot'), pinned => coalesce(new.pinned, false));
    else
        select c.name into v_refused
        from jsonb_each(to_jsonb(old) - array['attributes', 'tier', 'pinned', 'strength']) as o (name, value)
        join jsonb_each(to_jsonb(new)) as c (name, value) on c.name = o.name
        where c.value is distinct from o.value limit 1;
        if found then
            raise exception 'column % of mnemo.memories cannot be updated', quote_ident(v_refused)
                using errcode = 'MN002', hint = 'attributes, tier and pinned can; for other changes call mnemo.remember with the same key.';
        end if;
        if new.strength is distinct from old.strength then
            raise exception 'column strength of mnemo.memories cannot be updated' using errcode = 'MN002', hint = 'Call mnemo.reinforce(id).';
        end if;
        if new.pinned is null then
            raise exception 'column pinned of mnemo.memories cannot be null' using errcode = 'MN002';
        end if;
        if new.tier is distinct from old.tier and old.pinned and new.pinned then
            raise exception 'memory % is pinned to tier %', old.id, old.tier
                using errcode = 'MN002', hint = 'Set pinned to false to move it.';
        end if;
        if new.attributes is distinct from old.attributes then
            perform mnemo.lock_for_writing();
            perform from mnemo.activity a where a.bucket = mnemo.bucket_of(old.id) and a.id = old.id for update;
            perform from mnemo.memory m
            where m.bucket = mnemo.bucket_of(old.id) and m.id = old.id and m.attributes is distinct from old.attributes;
            if found then
                raise exception 'attributes of memory % were changed by another transaction', old.id using errcode = 'serialization_failure';
            end if;
            perform mnemo.set_attributes(old.id, new.attributes);
        end if;
        -- Pinned first, it would not move; still pinned, neither.
        if old.pinned and not new.pinned then
            perform mnemo.pin(old.id, false);
        end if;
        if new.tier is distinct from old.tier then
            perform mnemo.move_memories(array[old.id], new.tier);
        end if;
        if new.pinned and not old.pinned then
            perform mnemo.pin(old.id, true);
        end if;
    end if;
    select * into new from mnemo.memories m where m.id = new.id;
    return new;
end
$$;

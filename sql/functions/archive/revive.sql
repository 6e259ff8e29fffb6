-- Of memories whose keys the caller holds, takes those out of the archive that are there, and locks the activity rows of the
-- others, in order of (bucket, id). Returns what was archived (mnemo.bury).
-- One may go to the archive, or come back from there, while it is waited for: then it is looked for again.
create or replace function mnemo.revive(p_ids uuid[]) returns mnemo.archived_memory[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_left    uuid[] := p_ids;
    v_locked  uuid[];
    v_revived mnemo.archived_memory[] := '{}';
begin
    for v_try in 1 .. 10 loop
        v_locked := array(select a.id from mnemo.activity a where a.id = any (v_left) order by a.bucket, a.id for update of a);
        v_left := array(select w.id from unnest(v_left) as w (id) except select l.id from unnest(v_locked) as l (id));
        exit when v_left = '{}';
        v_revived := v_revived || mnemo.bury(v_left, 'rewritten');
        v_left := array(select w.id from unnest(v_left) as w (id) except select r.id from unnest(v_revived) as r);
        exit when v_left = '{}';
    end loop;
    if v_left <> '{}' then
        raise exception 'the key of memory % names neither a memory nor an archived one', v_left[1]
            using errcode = 'data_corrupted', hint = 'mnemo.doctor(deep => true) tells more.';
    end if;
    return v_revived;
end
$$;

-- Writes what was copied into pg_temp.memory_staging since mnemo.open_staging and returns the ids in the order
-- of `ordinal`. All or nothing, in the caller's transaction. Keys are claimed a chunk at a time: two batches of more
-- than 1,000 that share keys in different orders can deadlock, and Postgres then ends one of them, whole. p_into is mnemo.memory
-- or what mnemo.begin_bulk_load returned; MN002 for any other table, whose triggers would run with this function's rights.
create or replace function mnemo.remember_staged(p_into regclass default 'mnemo.memory') returns uuid[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    -- Bounds what is held in memory at a time; 1,000 drafts are about 3 MB.
    c_chunk  constant integer := 1000;
    v_chunk  mnemo.draft[] := '{}';
    v_ids    uuid[] := '{}';
    v_staged record;
begin
    if p_into is distinct from 'mnemo.memory'::regclass and not exists (
        select from mnemo.segment s join pg_class c on c.relname = s.relation || '_load'
        where c.oid = p_into and c.relnamespace = 'mnemo'::regnamespace) then
        raise exception 'memories cannot be written into %', coalesce(p_into::text, 'null') using errcode = 'MN002';
    end if;
    perform mnemo.require_staging('memory_staging');
    -- Before any of it is written: what can never pass says so of the whole.
    perform mnemo.lock_for_writing();
    perform mnemo.lock_quota((select count(*) from pg_temp.memory_staging));
    for v_staged in select row(s.*)::mnemo.draft as draft from pg_temp.memory_staging s order by s.ordinal loop
        v_chunk := v_chunk || v_staged.draft;
        if cardinality(v_chunk) = c_chunk then
            v_ids := v_ids || mnemo.write_drafts(v_chunk, p_into);
            v_chunk := '{}';
        end if;
    end loop;
    if v_chunk <> '{}' then
        v_ids := v_ids || mnemo.write_drafts(v_chunk, p_into);
    end if;
    truncate pg_temp.memory_staging;
    return v_ids;
end
$$;

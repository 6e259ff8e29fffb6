-- The last step of an attempt, once its objects have been read back: notes the set (p_keys: hdv, rows, manifest), and takes
-- what it copied from the queue, or the sets that it merged from among the copies. p_rows 0: nothing was left to copy, and
-- there is no set.
-- MN012 when the attempt is no longer under way, MN014 when one of its objects has not been verified.
-- Invariant kept: what is queued goes with the transaction that makes its copy count, and no row goes that was not read.
create or replace function mnemo.finish_copy(p_attempt uuid, p_keys text[], p_rows bigint, p_forgotten bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempt   mnemo.copy_attempt;
    v_number    bigint;
    v_copied_at timestamptz := mnemo.now();
begin
    perform mnemo.require_attempt(p_attempt);
    select c.* into v_attempt from mnemo.copy_attempt c where c.attempt = p_attempt;
    if not found then
        raise exception 'attempt % copies nothing', p_attempt using errcode = 'MN014';
    end if;
    if p_rows > 0 and (select count(*) from mnemo.object o
                       where o.attempt = p_attempt and o.state = 'stored' and o.key = any (p_keys)) is distinct from 3 then
        raise exception 'the objects of attempt % have not all been verified', p_attempt using errcode = 'MN014';
    end if;
    v_number := v_attempt.number;
    if v_attempt.merges <> '{}' then
        select max(c.number), max(c.copied_at) into v_number, v_copied_at from mnemo.copy c where c.number = any (v_attempt.merges);
        perform mnemo.drop_copies(v_attempt.merges);
    end if;
    if p_rows > 0 then
        insert into mnemo.copy (number, attempt, rows, forgotten, copied_at, hdv_key, rows_key, manifest_key)
        values (v_number, p_attempt, p_rows, p_forgotten, v_copied_at, p_keys[1], p_keys[2], p_keys[3]);
    end if;
    -- What a worker before this one wrote for the same attempt, of an older snapshot.
    update mnemo.object o set state = 'dropped', changed_at = clock_timestamp()
    where o.attempt = p_attempt and o.state in ('writing', 'stored') and (p_rows = 0 or o.key <> all (p_keys));
    delete from mnemo.uncopied u where u.seq = any (v_attempt.seqs);
    delete from mnemo.copy_attempt c where c.attempt = p_attempt;
    perform mnemo.injection_point('copies.finished');
end
$$;

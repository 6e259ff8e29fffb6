-- Moves every memory to the tier that the policies say, in short transactions; killed at any moment, the next call
-- goes on. Recall is not disturbed. Must be called outside a transaction block.
create or replace procedure mnemo.consolidate()
language plpgsql
as $$
declare
    v_done bigint;
begin
    -- Whatever the role's own level: in a snapshot as old as the wait for a lock, a step could only fail.
    commit;
    set transaction isolation level read committed;
    loop
        select mnemo.consolidate_step() into v_done;
        commit;
        set transaction isolation level read committed;
        exit when v_done = 0;
    end loop;
end
$$;

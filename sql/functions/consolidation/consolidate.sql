-- Moves every memory to the tier that the policies say, in short transactions; killed at any moment, the next call
-- goes on. Recall is not disturbed. Must be called outside a transaction block.
create or replace procedure mnemo.consolidate()
language plpgsql
as $$
begin
    while mnemo.consolidate_step() > 0 loop
        commit;
    end loop;
    commit;
end
$$;

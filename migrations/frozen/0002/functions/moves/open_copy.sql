-- Begins a rebuild: locks out other rebuilds and bulk loads, but neither readers nor writers, and makes
-- pg_temp.mnemo_copied (which rows, in which version). False when another one is under way.
create or replace function mnemo.open_copy() returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    lock table only mnemo.memory in share update exclusive mode nowait;
    create temporary table mnemo_copied (bucket smallint not null, id uuid not null, segment integer not null, place tid not null, writer xid not null)
    on commit drop;
    return true;
exception
    when lock_not_available then
        return false;
end
$$;

-- Gives up a set of copies that cannot be read, and those before it, and has every memory queued again: what it said of
-- forgotten memories is lost with it, and they must not come back from an older one.
create or replace function mnemo.redo_copies(number bigint) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- No merge of them is under way, and none begins.
    lock table mnemo.copy_attempt in share row exclusive mode;
    perform mnemo.drop_objects(c.attempt) from mnemo.copy_attempt c where c.merges <> '{}';
    delete from mnemo.copy_attempt c where c.merges <> '{}';
    perform mnemo.drop_copies(array(select c.number from mnemo.copy c where c.number <= redo_copies.number));
    insert into mnemo.copy_backlog (after, since) values ('00000000-0000-0000-0000-000000000000', pg_current_xact_id())
    on conflict (one) do update set after = excluded.after, since = excluded.since;
    perform mnemo.injection_point('copies.redone');
end
$$;

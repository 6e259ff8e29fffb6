-- What follows from a copy policy that is enabled now, or not, and was before, or not. Enabled, it has every memory there is
-- queued. Ended, it leaves no copies: what is forgotten from then on would stay in them.
create or replace function mnemo.switch_copies(p_before boolean, p_after boolean) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_after and not p_before then
        insert into mnemo.copy_backlog (after, since) values ('00000000-0000-0000-0000-000000000000', pg_current_xact_id())
        on conflict (one) do update set after = excluded.after, since = excluded.since;
    elsif p_before and not p_after then
        -- The attempts first: one that ends meanwhile is waited for, and its set is seen below.
        lock table mnemo.copy_attempt in share row exclusive mode;
        perform mnemo.drop_objects(c.attempt) from mnemo.copy_attempt c;
        delete from mnemo.copy_attempt;
        delete from mnemo.copy_backlog;
        delete from mnemo.uncopied;
        perform mnemo.drop_copies(array(select c.number from mnemo.copy c));
    end if;
end
$$;

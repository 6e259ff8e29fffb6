-- Charges the quota with a new vault item of so many stored bytes, and where it replaces one of the same name drops that.
-- Locks in this order: the quota, the active epoch where there is one to be kept (p_epoch), the item that goes. MN002 for a name
-- in use, MN016 past the quota, MN018 for an epoch that is not active.
create or replace function mnemo.make_room(p_name text, p_stored bigint, p_replace boolean, p_epoch integer default null) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before bigint;
    v_after  bigint;
begin
    if not p_replace then
        perform mnemo.require_new_item(p_name);
    end if;
    -- Whoever begins to count a quota waits for all that did not see it.
    lock table mnemo.vault_item in row exclusive mode;
    select i.stored_bytes into v_before from mnemo.vault_item i where i.tenant = mnemo.tenant() and i.name = p_name;
    perform mnemo.charge(0, p_stored - coalesce(v_before, 0), 1);
    if p_epoch is not null then
        perform mnemo.lock_active_epoch(p_epoch);
    end if;
    if p_replace then
        v_after := mnemo.delete_vault_item(p_name);
        if v_after is distinct from v_before then
            perform mnemo.charge(0, coalesce(v_before, 0) - coalesce(v_after, 0));
        end if;
    end if;
end
$$;

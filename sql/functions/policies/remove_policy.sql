-- Removes a policy of this kind and records why; returns the number of the change.
create or replace function mnemo.remove_policy(p_name text, p_kind text, p_reason text) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.change_policy((mnemo.policy(p_name, p_kind)).name, null, p_reason)
$$;

-- The one clock of the engine: the transaction's time, or for members of mnemo_owner what they set mnemo.clock to, which is for
-- tests. Of others the setting says nothing: by a clock of their own they could stay young, or cheat a quota.
create or replace function mnemo.now() returns timestamptz
language sql stable parallel safe
as $$
    select case
        when coalesce(current_setting('mnemo.clock', true), '') <> '' and pg_catalog.pg_has_role(mnemo.caller(), 'mnemo_owner', 'member')
            then current_setting('mnemo.clock')::timestamptz
        else pg_catalog.now()
    end
$$;

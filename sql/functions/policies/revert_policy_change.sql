-- Undoes a change of a policy: puts it back as it was before, or removes one that was added. Returns the number of the new
-- change, which can be undone likewise. A policy whose own tuning is undone stops tuning itself: it would do it again.
-- MN010 for an unknown change, MN002 for one that is undone already, and once the policy is no more as it left it.
create or replace function mnemo.revert_policy_change(change bigint) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set intervalstyle = 'postgres'
set extra_float_digits = 1
as $$
declare
    v_change mnemo.policy_change;
    v_policy mnemo.policy;
    v_revert bigint;
begin
    select * into v_change from mnemo.policy_change c where c.change = revert_policy_change.change for update;
    if not found then
        raise exception 'unknown policy change %', coalesce(revert_policy_change.change::text, 'null') using errcode = 'MN010';
    elsif v_change.reverted_by is not null then
        raise exception 'policy change % is undone already, by change %', v_change.change, v_change.reverted_by using errcode = 'MN002';
    end if;
    select * into v_policy from mnemo.policy p where p.name = v_change.policy for update;
    if v_change.after is distinct from (select to_jsonb(v_policy) - 'created_at' where v_policy.name is not null) then
        raise exception 'policy change % is superseded: policy % has changed since', v_change.change, quote_literal(v_change.policy)
            using errcode = 'MN002';
    end if;
    if v_change.before is not null then
        v_policy := jsonb_populate_record(null::mnemo.policy, v_change.before || jsonb_build_object('created_at', mnemo.now()));
    else
        v_policy := null;
    end if;
    v_revert := mnemo.change_policy(v_change.policy, v_policy, format('undoes change %s (%s)', v_change.change, v_change.reason));
    update mnemo.policy_change c set reverted_by = v_revert where c.change = v_change.change;
    update mnemo.adaptive a
    set enabled = false, status = format('disabled: its change %s was undone', v_change.change)
    where a.policy = v_change.policy and a.last_change = v_change.change and a.enabled;
    return v_revert;
end
$$;

-- MN007 unless there is a tier of that name.
create or replace function mnemo.check_policy_tier(p_tier text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (select from mnemo.tier t where t.tier = p_tier) then
        raise exception 'unknown tier %', quote_literal(p_tier) using errcode = 'MN007', hint = 'Tiers are hot, warm and cold.';
    end if;
end
$$;

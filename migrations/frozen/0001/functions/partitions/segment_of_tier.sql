-- The segment that takes new rows of a tier. MN007 for the name of no tier.
create or replace function mnemo.segment_of_tier(p_tier text) returns integer
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_segment integer;
begin
    select s.segment into v_segment from mnemo.open_segment s where s.tier = p_tier;
    if not found then
        raise exception 'unknown tier %', coalesce(quote_literal(p_tier), 'null')
            using errcode = 'MN007', hint = 'Tiers are hot, warm and cold.';
    end if;
    return v_segment;
end
$$;

-- The number of the next sealed segment of a tier: below 0 for warm, above those there are for cold.
create or replace function mnemo.next_segment(p_tier text) returns integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case p_tier
        when 'warm' then least(min(s.segment), 0) - 1
        when 'cold' then greatest(max(s.segment), 2) + 1
    end
    from mnemo.segment s
$$;

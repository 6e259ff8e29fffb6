-- The number of the next segment of a tier beside its first: below 0 for warm, above those there are for cold and archive.
create or replace function mnemo.next_segment(p_tier text) returns integer
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case p_tier
        when 'warm' then least(min(s.segment), 0) - 1
        when 'cold' then greatest(max(s.segment) filter (where s.segment <= 1000000), 2) + 1
        when 'archive' then greatest(max(s.segment), 1000000) + 1
    end
    from mnemo.segment s
$$;

-- Gives up sets of copies: their objects stay for the grace period, and are then collected.
create or replace function mnemo.drop_copies(p_numbers bigint[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attempts uuid[];
begin
    with gone as (delete from mnemo.copy c where c.number = any (p_numbers) returning c.attempt)
    select array_agg(g.attempt) into v_attempts from gone g;
    perform mnemo.drop_objects(d.attempt) from unnest(v_attempts) as d (attempt);
end
$$;

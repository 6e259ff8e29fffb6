-- The memories, at most `most`, that a consolidation moves down until p_window from now, as far as that is known, and that
-- can be encoded with what came after them (mnemo.encodable); those first that leave first. Of every tenant.
create or replace function mnemo.due_for_encoding(p_most integer, p_window interval default '0')
returns table (id uuid, bytes integer)
language plpgsql stable
rows 500
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_until  timestamptz := mnemo.now() + p_window;
    v_ids    uuid[] := '{}';
    v_tier   text;
    v_policy mnemo.policy;
begin
    foreach v_tier in array array['hot', 'warm'] loop
        v_ids := v_ids || array(
            select a.id from mnemo.activity a
            where a.tier = v_tier and a.due_at <= v_until and a.leaves_tier_at <= v_until
            order by a.due_at
            limit p_most);
    end loop;
    for v_policy in select * from mnemo.policy p where p.kind = 'eviction' and p.enabled order by p.tier, p.name loop
        v_ids := v_ids || mnemo.eviction_victims(v_policy, p_most);
    end loop;
    return query
        select e.id, e.bytes
        from mnemo.encodable(array(select w.id from unnest(v_ids) with ordinality as w (id, place) group by w.id order by min(w.place))) as e
        limit p_most;
end
$$;

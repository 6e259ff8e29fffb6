-- Memories by id, each with the tier that it is said to be in; those that are not there are left out. Each tier is read
-- by itself, its segments being constants, so that none is opened without need; one that cannot be read is left out
-- with a warning. In no order.
create or replace function mnemo.read_memories(p_ids uuid[], p_tiers text[]) returns setof mnemo.memory
language plpgsql stable
rows 10
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_tier text;
    v_ids  uuid[];
begin
    foreach v_tier in array array['hot', 'warm', 'cold'] loop
        v_ids := array(select w.id from unnest(p_ids, p_tiers) as w (id, tier) where w.tier = v_tier);
        continue when v_ids = '{}';
        begin
            case v_tier
            when 'hot' then
                return query select m.* from unnest(v_ids) as w (id)
                join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id where m.segment = 0;
            when 'warm' then
                return query select m.* from unnest(v_ids) as w (id)
                join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id where m.segment < 2 and m.segment <> 0;
            when 'cold' then
                return query select m.* from unnest(v_ids) as w (id)
                join mnemo.memory m on m.bucket = mnemo.bucket_of(w.id) and m.id = w.id where m.segment > 1;
            end case;
        exception when system_error or data_corrupted or index_corrupted or insufficient_privilege then
            perform mnemo.warn_unreachable(v_tier, sqlstate, sqlerrm);
        end;
    end loop;
end
$$;

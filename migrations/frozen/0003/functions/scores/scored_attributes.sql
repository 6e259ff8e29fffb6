-- The attributes of a memory as they are stored: where they hold an object under "scores", with what follows from it,
-- "importance" and "spark", computed anew. Whatever else stands there is an attribute like any other.
create or replace function mnemo.scored_attributes(p_attributes jsonb) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case when jsonb_typeof(p_attributes -> 'scores') = 'object' then
        p_attributes || jsonb_build_object('scores', jsonb_strip_nulls(p_attributes -> 'scores') || jsonb_build_object(
            'importance', mnemo.importance_of(p_attributes -> 'scores'), 'spark', mnemo.spark_of(p_attributes -> 'scores')))
        else p_attributes
    end
$$;

-- ranking(weights): the complete definition of a second stage: the defaults, with the weights given in their place. Each
-- weight is what a value of 1 of its term adds to the score, a similarity between 0 and 1. MN002 for an unknown name and
-- for what is out of its bounds.
--   candidates      how many of the nearest memories are ranked anew (at least k); 0: none, the first stage's order stays
--   coverage        the share of the question's words, by what they tell, in a memory and those around it
--   question        the memory itself asks: its text ends in a question mark
--   length          the natural logarithm of how many characters it has, over 100, a usual turn's
--   role            it has a value of a role that the question names
--   density         what similar memories stand near it in its session
--   embedding       the cosine of its embedding and the question's, where both are there
--   recency         0.5 ^ (its age in recency_days)
--   strength        mnemo.strength_at, now
--   importance      its attribute scores.importance, 0 where it has none
-- question, length and density are about turns: they count for memories of a context and session only.
create or replace function mnemo.ranking(weights jsonb default '{}') returns jsonb
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    c_defaults constant jsonb := '{
        "candidates": 100, "coverage": 0.07, "question": -0.015, "length": 0.011, "role": 0, "density": 0,
        "embedding": 0, "recency": 0, "recency_days": 30, "strength": 0, "importance": 0}';
    v_bad text;
begin
    if jsonb_typeof(weights) is distinct from 'object' then
        raise exception 'a ranking must be a JSON object, not %', coalesce(jsonb_typeof(weights), 'null') using errcode = 'MN002';
    end if;
    select w.key into v_bad from jsonb_object_keys(weights) as w (key) where not c_defaults ? w.key order by w.key limit 1;
    if found then
        raise exception 'a ranking has no %', quote_literal(v_bad) using errcode = 'MN002',
            hint = 'It has ' || (select string_agg(d.key, ', ' order by d.key) from jsonb_object_keys(c_defaults) as d (key)) || '.';
    end if;
    select w.key into v_bad
    from jsonb_each(weights) as w
    where case
            when jsonb_typeof(w.value) <> 'number' then true
            when w.key = 'candidates' then w.value::numeric not between 0 and 1000 or scale(w.value::numeric) > 0
            when w.key = 'recency_days' then w.value::numeric not between 0.001 and 100000
            -- So many decimals may be a number that is too small to compute with.
            else w.value::numeric not between -10 and 10 or scale(w.value::numeric) > 100
          end
    order by w.key
    limit 1;
    if found then
        raise exception '% of a ranking cannot be %', quote_literal(v_bad), left((weights -> v_bad)::text, 500) using errcode = 'MN002',
            hint = 'candidates is a whole number, written as such, from 0 to 1000, recency_days is from 0.001 to 100000, weights are from -10 to 10.';
    end if;
    return c_defaults || weights;
end
$$;

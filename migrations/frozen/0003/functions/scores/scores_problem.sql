-- What is wrong with the scores of a memory, naming the culprit; null where nothing is. Scores are an object of
--   significance, relevance, emotional_impact, technical_value, user_rating, confidence    numbers from 0 to 1
--   source                                                                                 a text of at most 1,000 bytes
--   tags                                                                                   at most 64 texts of at most 200 bytes
-- each of which may be missing, or null, which is the same. importance and spark may stand there too: they are results,
-- always computed anew.
create or replace function mnemo.scores_problem(p_scores jsonb) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_scores is null then null
        when jsonb_typeof(p_scores) <> 'object' then format('scores must be a JSON object, not %s', jsonb_typeof(p_scores))
        else (
            select min(p.problem)
            from jsonb_each(p_scores) as s
            cross join lateral (select case
                when s.key in ('importance', 'spark') or s.value = 'null' then null
                when s.key in ('significance', 'relevance', 'emotional_impact', 'technical_value', 'user_rating', 'confidence') then
                    case when case when jsonb_typeof(s.value) = 'number' then s.value::numeric between 0 and 1 end is not true then
                        format('score %s must be a number from 0 to 1, not %s', quote_literal(s.key), left(s.value::text, 100))
                    end
                when s.key = 'source' then
                    case when jsonb_typeof(s.value) <> 'string' or octet_length(s.value #>> '{}') > 1000 then
                        format('score ''source'' must be a text of at most 1000 bytes, not %s', left(s.value::text, 100))
                    end
                when s.key = 'tags' then
                    case when case when jsonb_typeof(s.value) = 'array' then jsonb_array_length(s.value) <= 64 and not exists (
                            select from jsonb_array_elements(s.value) as t (tag)
                            where jsonb_typeof(t.tag) <> 'string' or octet_length(t.tag #>> '{}') > 200) end is not true then
                        format('score ''tags'' must be an array of at most 64 texts of at most 200 bytes, not %s', left(s.value::text, 100))
                    end
                else format('there is no score %s', quote_literal(s.key))
            end as problem) as p)
    end
$$;

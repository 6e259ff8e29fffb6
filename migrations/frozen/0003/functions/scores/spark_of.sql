-- spark_of(scores, surprise): how much a memory strikes, 0 to 1. With g the geometric mean of those scores that are given,
-- of which emotional_impact and significance weigh 2, relevance, user_rating and technical_value 1:
--     spark = g + g (1 - g) surprise / 2          g = 0.5 where none is given
-- so that feeling and significance must come together: one of them near 0 puts it out. Surprise is 0 to 1, where it is
-- not given what confidence leaves, 1 - confidence, and 0 without that: it lifts what matters and nothing else. It never
-- falls when a score or the surprise rises. Scores are read to six decimals, the result is in steps of 0.0001. MN002 for scores that are none (mnemo.scores_problem) and
-- for a surprise out of its range; null scores are none given.
create or replace function mnemo.spark_of(scores jsonb, surprise double precision default null) returns double precision
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem  text := mnemo.scores_problem(spark_of.scores);
    v_spark    numeric;
    v_surprise numeric;
begin
    if v_problem is not null then
        raise exception '%', v_problem using errcode = 'MN002';
    elsif spark_of.surprise not between 0 and 1 then
        raise exception 'surprise must be between 0 and 1, not %', spark_of.surprise using errcode = 'MN002';
    end if;
    -- Rounded while it is numeric: a number too small for its type would be an error.
    select case when min(s.score) = 0 then 0 else exp(sum(w.weight * ln(greatest(s.score, 1e-6))) / sum(w.weight))::numeric end into v_spark
    from (values ('emotional_impact', 2), ('significance', 2), ('relevance', 1), ('user_rating', 1), ('technical_value', 1)) as w (name, weight)
    cross join lateral (select round((spark_of.scores ->> w.name)::numeric, 6)::double precision as score) as s
    where s.score is not null;
    v_spark := coalesce(v_spark, 0.5);
    v_surprise := coalesce(spark_of.surprise::numeric, 1 - (spark_of.scores ->> 'confidence')::numeric, 0);
    return round(v_spark + v_spark * (1 - v_spark) * v_surprise / 2, 4);
end
$$;

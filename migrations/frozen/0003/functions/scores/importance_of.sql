-- importance_of(scores, accesses): how much a memory matters, 0 to 1, by what is known of it. With m the mean of those
-- scores that are given, of which significance and user_rating weigh 3, relevance 2, emotional_impact and technical_value 1:
--     i = 0.8 + confidence (m - 0.8)              confidence 1 where it is not given; m = 0.8 where none is
--     importance = i + (1 - i) n / (n + 20)       n accesses
-- so that who is not sure says nothing, and 0.8, the importance of a memory without scores, stands for nothing known. It
-- never falls when a score rises or an access is added, confidence set aside, which pulls to either side. In steps of
-- 0.0001. MN002 for scores that are none (mnemo.scores_problem) and for fewer than 0 accesses; null scores are none given.
create or replace function mnemo.importance_of(scores jsonb, accesses bigint default 0) returns double precision
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem    text := mnemo.scores_problem(importance_of.scores);
    v_importance numeric;
begin
    if v_problem is not null then
        raise exception '%', v_problem using errcode = 'MN002';
    elsif importance_of.accesses < 0 then
        raise exception 'accesses must be 0 or more, not %', importance_of.accesses using errcode = 'MN002';
    end if;
    select sum(w.weight * (importance_of.scores ->> w.name)::numeric) / sum(w.weight) into v_importance
    from (values ('significance', 3), ('user_rating', 3), ('relevance', 2), ('emotional_impact', 1), ('technical_value', 1)) as w (name, weight)
    where importance_of.scores ->> w.name is not null;
    v_importance := 0.8 + coalesce((importance_of.scores ->> 'confidence')::numeric, 1) * (coalesce(v_importance, 0.8) - 0.8);
    return round(v_importance + (1 - v_importance) * coalesce(importance_of.accesses, 0) / (coalesce(importance_of.accesses, 0) + 20.0), 4);
end
$$;

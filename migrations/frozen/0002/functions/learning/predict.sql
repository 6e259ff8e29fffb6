-- The memories that this context's recalls of the last `window` (null: prediction_window_seconds) predict, the most
-- likely first: ids and predictions, 0 to 1. Memories of this tenant and context only. MN002 for k out of 1 to 1,000
-- and a window that is not positive.
create or replace function mnemo.predict(context text, k integer default 10, "window" interval default null)
returns table (memory_id uuid, prediction double precision)
language plpgsql stable
rows 10
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_tenant text := mnemo.tenant();
    v_window interval := coalesce(predict."window", make_interval(secs => mnemo.setting('prediction_window_seconds')));
begin
    if predict.k is null or predict.k not between 1 and 1000 then
        raise exception 'k must be between 1 and 1000, not %', coalesce(predict.k::text, 'null') using errcode = 'MN002';
    end if;
    if v_window <= interval '0' then
        raise exception 'window must be positive, not %', v_window using errcode = 'MN002';
    end if;
    return query
    select p.memory_id, p.prediction
    from mnemo.predicted(v_tenant, predict.context, mnemo.now(), v_window, 1000) as p
    join mnemo.activity a on a.bucket = mnemo.bucket_of(p.memory_id) and a.id = p.memory_id
    join mnemo.memory m on m.segment = a.segment and m.bucket = a.bucket and m.id = a.id
    where m.tenant = v_tenant and m.context = predict.context
    order by p.prediction desc, p.memory_id
    limit predict.k;
end
$$;

-- Drops dead letters of a subscription, by default all, and returns how many.
create or replace function mnemo.discard_dead_letters(subscription text, ids bigint[] default null) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id    integer := (mnemo.subscription_named(subscription)).id;
    v_count bigint;
begin
    delete from mnemo.dead_letter d where d.subscription = v_id and (ids is null or d.id = any (ids));
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

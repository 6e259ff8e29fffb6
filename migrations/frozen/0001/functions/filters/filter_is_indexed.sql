-- Whether the GIN on attributes can find what the filter matches: a field that must equal a value, at its top
-- level or inside $and.
create or replace function mnemo.filter_is_indexed(filter jsonb) returns boolean
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    return exists (
        select from jsonb_each(filter) as e (key, value)
        where case
            when e.key = '$and' then exists (select from jsonb_array_elements(e.value) as part (value) where mnemo.filter_is_indexed(part.value))
            when e.key like '$%' or e.value = 'null' then false
            when jsonb_typeof(e.value) <> 'object' then true
            when e.value ? '$in' then not e.value -> '$in' @> 'null'
            else e.value ? '$eq' and e.value -> '$eq' <> 'null'
        end);
end
$$;

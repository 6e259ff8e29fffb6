-- Notes that a memory of this tenant has other attributes now, where they are values of roles of its collection: what it
-- had goes, what it has comes. Its words stay counted.
create or replace function mnemo.log_attributes(p_collection text, p_content text, p_occurred_at timestamptz, p_before jsonb, p_after jsonb)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection := mnemo.collection(p_collection);
    v_side       record;
begin
    if v_collection.encoder = 'composite' and exists (
        select from jsonb_object_keys(v_collection.encoding -> 'roles') as r (role) where p_before -> r.role is distinct from p_after -> r.role)
    then
        for v_side in select s.attributes, s.sign from (values (p_before, -1), (p_after, 1)) as s (attributes, sign) loop
            perform mnemo.log_terms(array[row(
                0, p_content, null, null, null, null, p_occurred_at, v_side.attributes, null, p_collection, null, null, null, null, null, null,
                '{}', 0)::mnemo.draft], v_side.sign);
        end loop;
        perform mnemo.fold_pending(array[p_collection]);
    end if;
end
$$;

-- A filter over attributes as a jsonpath predicate: data for the operator @@, never SQL. Null for the empty filter.
-- Operators: $eq $ne $gt $gte $lt $lte $in $nin $exists $not on a field, $and $or $nor $not on filters; {"a": 1} means
-- {"a": {"$eq": 1}}; "a.b" is b inside a; an array matches when one of its elements does. As in MongoDB, $ne, $nin
-- and $not also match where the field is absent, and comparing with null matches an absent field.
-- MN003 names the part of the filter that is malformed.
create or replace function mnemo.filter_jsonpath(filter jsonb) returns jsonpath
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select nullif(mnemo.filter_predicate(coalesce(filter, '{}'), 0), '')::jsonpath
$$;

-- A filter over attributes as a jsonpath predicate: data for the operator @@, never SQL. Null for the empty filter.
-- Operators: $eq $ne $gt $gte $lt $lte $in $nin $exists $not on a field, $and $or $nor $not on filters; {"a": 1} means
-- {"a": {"$eq": 1}}; "a.b" is b inside a, or inside an element of the array a; an array matches when one of its elements
-- does. As in MongoDB, values of different types are neither equal nor ordered, $ne, $nin and $not also match where the
-- field is absent, and $eq, $gte, $lte and $in with null match an absent field. Not as in MongoDB: no value is an array
-- or an object, a step of a path is never a place in an array, and $not may stand over a whole filter.
-- MN003 names the part of the filter that is malformed.
create or replace function mnemo.filter_jsonpath(filter jsonb) returns jsonpath
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select nullif(mnemo.filter_predicate(coalesce(filter, '{}'), 0), '')::jsonpath
$$;

-- A list as the audit holds it: itself, or where it is long, how many it has and the SHA-256 of its JSON text as PostgreSQL
-- writes jsonb. An entry of the audit must stay small; mnemo.shredding has the whole list, which this is proof of.
create or replace function mnemo.audited_list(p_list jsonb) returns jsonb
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select case when octet_length(p_list::text) <= 20000 then p_list
                else jsonb_build_object('count', jsonb_array_length(p_list), 'sha256', encode(sha256(convert_to(p_list::text, 'UTF8')), 'hex')) end
$$;

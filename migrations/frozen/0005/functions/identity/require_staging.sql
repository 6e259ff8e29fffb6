-- Raises MN002 unless the table of this name in pg_temp was made by the function that asks, running as its owner. A session may put
-- what it likes under that name: a view, a table with triggers; their code would run with this function's rights.
create or replace function mnemo.require_staging(p_name name) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if not exists (
        select from pg_class c
        where c.oid = to_regclass(format('pg_temp.%I', p_name)) and c.relkind = 'r'
          and c.relowner = (select r.oid from pg_roles r where r.rolname = current_user)) then
        raise exception 'pg_temp.% is not the table that Mnemo makes', p_name using errcode = 'MN002';
    end if;
end
$$;

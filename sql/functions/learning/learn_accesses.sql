-- Learns from recalls (rows of mnemo.access_log) which memories of a context go together.
create or replace function mnemo.learn_accesses(p_accesses mnemo.access_log[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    null;
end
$$;

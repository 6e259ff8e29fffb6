-- Renames a partition and its indexes with it.
create or replace function mnemo.rename_partition(p_relation text, p_new_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_index name;
begin
    for v_index in
        select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = format('mnemo.%I', p_relation)::regclass
    loop
        execute format('alter index mnemo.%I rename to %I', v_index, p_new_name || substr(v_index, length(p_relation) + 1));
    end loop;
    execute format('alter table mnemo.%I rename to %I', p_relation, p_new_name);
end
$$;

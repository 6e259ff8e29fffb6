-- Builds the indexes of mnemo.memory, or for tier archive of mnemo.archived_memory, on a table made by
-- mnemo.create_partition, in the tablespace of its tier.
create or replace function mnemo.index_partition(p_relation text, p_tier text) returns void
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_parent     name := case p_tier when 'archive' then 'archived_memory' else 'memory' end;
    v_tablespace name := mnemo.tier_tablespace(p_tier);
    v_index      record;
    v_definition text;
    v_condition  text;
begin
    for v_index in
        select c.relname as parent, pg_get_indexdef(i.indexrelid) as definition, i.indisprimary as is_primary
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = format('mnemo.%I', v_parent)::regclass
        order by c.relname
    loop
        if v_index.is_primary then
            execute format('alter table mnemo.%I add constraint %I primary key (id, bucket, segment) using index tablespace %I',
                           p_relation, p_relation || '_pkey', v_tablespace);
        else
            -- The definition comes from the catalog: only the names and the tablespace change.
            v_definition := regexp_replace(v_index.definition, '^CREATE INDEX [^ ]+ ON (ONLY )?[^ ]+ ',
                                           format('create index %I on mnemo.%I ', p_relation || substr(v_index.parent, length(v_parent) + 1), p_relation));
            -- The tablespace comes before the condition of a partial index.
            v_condition := coalesce(substring(v_definition from ' WHERE .*$'), '');
            execute left(v_definition, length(v_definition) - length(v_condition)) || format(' tablespace %I', v_tablespace) || v_condition;
        end if;
    end loop;
end
$$;

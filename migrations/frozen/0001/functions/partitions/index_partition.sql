-- Builds the indexes of mnemo.memory on a table made by mnemo.create_partition, in the tablespace of its tier.
create or replace function mnemo.index_partition(p_relation text, p_tier text) returns void
language plpgsql volatile
set search_path = pg_catalog, public, pg_temp
as $$
declare
    v_tablespace name := mnemo.tier_tablespace(p_tier);
    v_index      record;
begin
    for v_index in
        select c.relname as parent, pg_get_indexdef(i.indexrelid) as definition, i.indisprimary as is_primary
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = 'mnemo.memory'::regclass
        order by c.relname
    loop
        if v_index.is_primary then
            execute format('alter table mnemo.%I add constraint %I primary key (id, bucket, segment) using index tablespace %I',
                           p_relation, p_relation || '_pkey', v_tablespace);
        else
            -- The definition comes from the catalog: only the names and the tablespace change.
            execute regexp_replace(v_index.definition, '^CREATE INDEX [^ ]+ ON (ONLY )?[^ ]+ ',
                                   format('create index %I on mnemo.%I ', p_relation || substr(v_index.parent, length('memory') + 1), p_relation))
                    || format(' tablespace %I', v_tablespace);
        end if;
    end loop;
end
$$;

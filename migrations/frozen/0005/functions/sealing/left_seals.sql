-- The data keys that memories about to be rewritten leave behind: those that they name and their drafts do not. p_into is the
-- table of a bulk load, which holds those of them that the load itself wrote, else mnemo.memory.
create or replace function mnemo.left_seals(p_drafts mnemo.draft[], p_into regclass) returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table regclass;
    v_found uuid[];
    v_seals uuid[] := '{}';
begin
    foreach v_table in array case when p_into = 'mnemo.memory'::regclass then array[p_into] else array['mnemo.memory'::regclass, p_into] end loop
        execute format(
            'select array(select mnemo.seal_of(m.attributes) '
            'from unnest($1) as d join %s m on m.bucket = mnemo.bucket_of(d.id) and m.id = d.id '
            'where d.existed and m.attributes ? ''$seal'' and mnemo.seal_of(m.attributes) is distinct from mnemo.seal_of(d.attributes))', v_table)
        into v_found using p_drafts;
        v_seals := v_seals || v_found;
    end loop;
    return v_seals;
end
$$;

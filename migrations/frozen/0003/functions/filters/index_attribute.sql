-- Declares that ranges are asked of an attribute (type number or text): a B-tree on every partition, present and
-- future. "a.b" is b inside a. No value on its path may be an array, which a constraint then keeps. False when it is
-- declared already. MN002 for a name that no filter can ask for, and for another type than declared.
create or replace function mnemo.index_attribute(name text, type text default 'number') returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_suffix text := substr(md5(name), 1, 12);
    v_type   text;
    v_steps  text[] := string_to_array(name, '.');
begin
    if coalesce(name, '') = '' or name like '$%' or name like '.%' or name like '%.' or name like '%..%' or type is null or type not in ('number', 'text') then
        raise exception 'cannot index attribute % as %', coalesce(quote_literal(name), 'null'), coalesce(quote_literal(type), 'null')
            using errcode = 'MN002', hint = 'The name is that of an attribute, or of one inside another, as in a.b; the type is number or text.';
    end if;
    insert into mnemo.ranged_attribute (name, type) values (name, type) on conflict do nothing;
    if not found then
        select r.type into v_type from mnemo.ranged_attribute r where r.name = index_attribute.name;
        if v_type <> type then
            raise exception 'attribute % is indexed as %', quote_literal(name), v_type using errcode = 'MN002';
        end if;
        return false;
    end if;
    execute format('alter table mnemo.memory add constraint %I check (%s)', 'attribute_is_scalar_' || v_suffix,
        (select string_agg(format('jsonb_typeof(attributes #> %L) is distinct from ''array''', v_steps[:n]), ' and ' order by n)
         from generate_subscripts(v_steps, 1) as n));
    execute format('create index %I on mnemo.memory (%s)', 'memory_attribute_' || v_suffix,
                   format(case type when 'number' then '(mnemo.numeric_attribute(attributes, %L))'
                                    else '(mnemo.text_attribute(attributes, %L)) collate "C"' end, name));
    return true;
exception
    when check_violation then
        raise exception 'cannot index attribute %: a memory has an array there', quote_literal(name) using errcode = 'MN002';
end
$$;

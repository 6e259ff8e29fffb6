-- Declares that ranges are asked of an attribute (type number or text): a B-tree on every partition, present and
-- future. Its values must be scalar, which a constraint then keeps. False when it is declared already.
create or replace function mnemo.index_attribute(name text, type text default 'number') returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_suffix text := substr(md5(name), 1, 12);
begin
    if coalesce(name, '') = '' or type is null or type not in ('number', 'text') then
        raise exception 'cannot index attribute % as %', coalesce(quote_literal(name), 'null'), coalesce(quote_literal(type), 'null')
            using errcode = 'MN002', hint = 'The type is number or text.';
    end if;
    insert into mnemo.ranged_attribute (name, type) values (name, type) on conflict do nothing;
    if not found then
        return false;
    end if;
    execute format('alter table mnemo.memory add constraint %I check (jsonb_typeof(attributes -> %L) is distinct from %L)',
                   'attribute_is_scalar_' || v_suffix, name, 'array');
    execute format('create index %I on mnemo.memory ((mnemo.%I(attributes, %L)))',
                   'memory_attribute_' || v_suffix, case type when 'number' then 'numeric_attribute' else 'text_attribute' end, name);
    return true;
exception
    when check_violation then
        raise exception 'cannot index attribute %: a memory has an array there', quote_literal(name) using errcode = 'MN002';
end
$$;

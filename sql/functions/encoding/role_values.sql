-- role_values(roles, content, attributes, occurred_at): the values that a memory has in the roles of its collection, folded:
-- the attribute of the role's name, where it is a text, a number or true or false, or an array of these; for the role
-- occurred_at the year, the month and the day, in UTC; for the role speaker, where there is no such attribute, the one to
-- three words before the first colon of a line of dialogue ("Ann: Hello"). At most 200 characters of each.
create or replace function mnemo.role_values(p_roles jsonb, p_content text, p_attributes jsonb, p_occurred_at timestamptz)
returns table (role text, value text)
language plpgsql stable parallel safe rows 5
set search_path = pg_catalog, pg_temp
as $$
declare
    v_given jsonb;
    v_texts text[];
    v_text  text;
    v_seen  text[];
begin
    for role in select jsonb_object_keys(p_roles) loop
        v_given := p_attributes -> role;
        v_texts := case
            when jsonb_typeof(v_given) in ('string', 'number', 'boolean') then array[v_given #>> '{}']
            when jsonb_typeof(v_given) = 'array' then array(
                select e.value #>> '{}' from jsonb_array_elements(v_given) as e (value)
                where jsonb_typeof(e.value) in ('string', 'number', 'boolean'))
            when role = 'speaker' and v_given is null then array[substring(left(p_content, 100) collate "C"
                from '^[[:space:]]*([^:：' || chr(10) || ']+)(?::[ ' || chr(9) || ']|：)')]
            else '{}'
        end;
        if role = 'speaker' and v_given is null
           and (length(v_texts[1]) > 60 or cardinality(string_to_array(btrim(mnemo.spaced_text(v_texts[1])), ' ')) > 3)
        then
            -- No name. The expression with these bounds in it would take eight times as long.
            v_texts := '{}';
        end if;
        if role = 'occurred_at' then
            v_texts := v_texts || array[to_char(p_occurred_at at time zone 'UTC', 'YYYY'), to_char(p_occurred_at at time zone 'UTC', 'YYYY-MM'),
                                        to_char(p_occurred_at at time zone 'UTC', 'YYYY-MM-DD')];
        end if;
        v_seen := '{}';
        foreach v_text in array v_texts loop
            value := btrim(mnemo.spaced_text(left(v_text, 200)));
            if value <> '' and not value = any (v_seen) then
                v_seen := v_seen || value;
                return next;
            end if;
        end loop;
    end loop;
end
$$;

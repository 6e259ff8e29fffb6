-- A number of mnemo.setting by name.
create or replace function mnemo.setting(name text) returns double precision
language sql stable strict parallel safe
as $$
    select s.value from mnemo.setting s where s.name = setting.name
$$;

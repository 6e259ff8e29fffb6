-- Sees to it that the rest of this transaction may carry secrets as parameters: sets, as far as the caller may, what keeps the
-- server from logging them; MN019, naming the setting, where it still would. Call it in a transaction, before the first secret.
-- Anyone may call it; it runs with the caller's rights.
create or replace function mnemo.require_unlogged() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name    text;
    v_exposed text;
begin
    foreach v_name in array array['log_parameter_max_length', 'log_parameter_max_length_on_error'] loop
        if current_setting(v_name) <> '0' and has_parameter_privilege(v_name, 'set') then
            perform set_config(v_name, '0', true);
        end if;
    end loop;
    foreach v_name in array array['debug_print_parse', 'debug_print_rewritten', 'debug_print_plan'] loop
        perform set_config(v_name, 'off', true);
    end loop;
    v_exposed := mnemo.exposing_setting();
    if v_exposed is not null then
        perform mnemo.raise_exposed(v_exposed);
    end if;
end
$$;

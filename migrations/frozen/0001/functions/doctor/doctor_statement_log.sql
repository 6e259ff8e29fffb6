-- statement_log: a logged statement does not carry its hypervector, {bits} bits written as text.
create or replace function mnemo.doctor_statement_log() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('statement_log', 'warn',
        nullif(concat_ws('; ',
            case when current_setting('log_parameter_max_length') = '-1'
                then 'log_parameter_max_length is -1: a logged recall writes its whole hypervector' end,
            case when current_setting('log_parameter_max_length_on_error') = '-1'
                then 'log_parameter_max_length_on_error is -1: a failed one does' end), ''),
        format('parameters are logged up to %s, after an error up to %s',
               current_setting('log_parameter_max_length'), current_setting('log_parameter_max_length_on_error')),
        'set log_parameter_max_length = 256 and log_parameter_max_length_on_error = 0')
$$;

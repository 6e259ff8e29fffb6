-- What in this session's settings would write the parameters of a statement, or the constants of its plan, to the server log,
-- and what to set instead; null when nothing would. Text of statements alone is harmless: secrets come as parameters.
create or replace function mnemo.exposing_setting() returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with setting as (
        select s.name, current_setting(s.name, true) as value
        from unnest(array['log_parameter_max_length', 'log_parameter_max_length_on_error', 'log_statement', 'log_min_duration_statement',
                          'log_min_duration_sample', 'log_statement_sample_rate', 'log_transaction_sample_rate',
                          'auto_explain.log_min_duration', 'auto_explain.log_parameter_max_length', 'pgaudit.log', 'pgaudit.log_parameter',
                          'debug_print_raw_parse', 'debug_print_parse', 'debug_print_rewritten', 'debug_print_plan',
                          'pg_stat_monitor.pgsm_normalized_query']) as s (name)
    ), value as (
        select jsonb_object_agg(s.name, s.value) as v from setting s
    )
    select e.advice
    from value, lateral (values
        (1, v ->> 'log_parameter_max_length_on_error' <> '0', 'log_parameter_max_length_on_error = 0'),
        (2, v ->> 'log_parameter_max_length' <> '0'
            and (v ->> 'log_statement' <> 'none' or v ->> 'log_min_duration_statement' <> '-1'
                 or v ->> 'log_min_duration_sample' <> '-1' and v ->> 'log_statement_sample_rate' <> '0'
                 or v ->> 'log_transaction_sample_rate' <> '0'), 'log_parameter_max_length = 0'),
        (3, v ->> 'auto_explain.log_min_duration' <> '-1', 'auto_explain.log_min_duration = -1'),
        (4, v ->> 'pgaudit.log' not in ('none', '') and v ->> 'pgaudit.log_parameter' = 'on', 'pgaudit.log_parameter = off'),
        (5, v ->> 'debug_print_raw_parse' = 'on', 'debug_print_raw_parse = off'),
        (6, v ->> 'debug_print_parse' = 'on', 'debug_print_parse = off'),
        (7, v ->> 'debug_print_rewritten' = 'on', 'debug_print_rewritten = off'),
        (8, v ->> 'debug_print_plan' = 'on', 'debug_print_plan = off'),
        (9, v ->> 'pg_stat_monitor.pgsm_normalized_query' = 'off', 'pg_stat_monitor.pgsm_normalized_query = on')
    ) as e (place, exposes, advice)
    where e.exposes
    order by e.place
    limit 1
$$;

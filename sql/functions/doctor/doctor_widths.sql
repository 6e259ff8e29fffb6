-- widths: the widths recorded at install are those of the column, of the functions and of the index.
create or replace function mnemo.doctor_widths() returns mnemo.finding
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select mnemo.verdict('widths', 'fail',
        nullif(concat_ws('; ',
            case when mnemo.setting('bits') is distinct from a.atttypmod
                then format('%s bits are recorded, column hdv has %s', coalesce(mnemo.setting('bits')::text, 'no'), a.atttypmod) end,
            case when mnemo.bits() <> a.atttypmod
                then format('the functions compute with %s bits, column hdv has %s', mnemo.bits(), a.atttypmod) end,
            case when mnemo.setting('sketch_bits') is distinct from mnemo.sketch_bits()
                then format('sketches of %s bits are recorded, the functions make %s',
                            coalesce(mnemo.setting('sketch_bits')::text, 'no'), mnemo.sketch_bits()) end), ''),
        format('hypervectors of %s bits, sketches of %s', a.atttypmod, mnemo.sketch_bits()),
        'mnemo.setting was changed by hand, or functions come from another installation: put the recorded width back, or run mnemo migrate')
    from pg_attribute a
    where a.attrelid = 'mnemo.memory'::regclass and a.attname = 'hdv'
$$;

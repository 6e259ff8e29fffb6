-- Deletes data keys that memories of this tenant had: nothing here opens what they sealed any more. The caller holds what named
-- them locked: activity rows, or archived ones. Backups still hold them: see mnemo.begin_shred.
create or replace function mnemo.drop_seals(p_seals uuid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    p_seals := array_remove(p_seals, null);
    if p_seals <> '{}' then
        delete from mnemo.data_key d where d.id = any (p_seals) and d.tenant = mnemo.tenant() and d.purpose = 'memory';
    end if;
end
$$;

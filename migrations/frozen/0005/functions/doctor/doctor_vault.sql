-- vault: the epoch keys belong to this database, and no rotation or shredding stopped half way: what it left to do weakens what
-- was promised, since old keys live on.
create or replace function mnemo.doctor_vault() returns mnemo.finding
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_trouble text;
    v_keys    bigint;
begin
    select nullif(concat_ws('; ',
        -- A replica cannot be asked for its place in the log, and destroys nothing.
        case when not pg_is_in_recovery() then
            (select format('the keys belong to another database since %s: this is a copy, or was failed over to', h.since)
             from mnemo.vault_home h where h.fingerprint <> mnemo.fingerprint())
        end,
        (select string_agg(format('tenant %L has %s shreddings that are not finished', p.tenant, p.count), '; ' order by p.tenant)
         from (select s.tenant, count(*) from mnemo.shredding s where s.finished_at is null group by s.tenant) as p),
        (select string_agg(format('the key of epoch %s of tenant %L is still to be destroyed', k.epoch, k.tenant), '; ' order by k.tenant, k.epoch)
         from mnemo.vault_key k where k.state = 'destroying'),
        (select string_agg(format('%s data keys of tenant %L lie under epochs that ended', p.count, p.tenant), '; ' order by p.tenant)
         from (select k.tenant, count(*) from mnemo.vault_key k join mnemo.data_key d on d.tenant = k.tenant and d.epoch = k.epoch
               where k.state <> 'active' group by k.tenant) as p)), '')
    into v_trouble;
    select count(*) into v_keys from mnemo.vault_key k where k.state = 'active';
    return mnemo.verdict('vault', 'warn', v_trouble,
        case when v_keys = 0 then 'no tenant has one' else format('%s tenants have one, nothing is left to do', v_keys) end,
        'mnemo vault rotate (or shred --resume) finishes what stopped; in a database that was copied or failed over to, mnemo vault adopt');
end
$$;

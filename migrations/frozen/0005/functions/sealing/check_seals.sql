-- MN018 for the first draft whose data key is not there: it came from another writing, or was shredded meanwhile.
-- Invariant kept: what is sealed in a new memory has a data key, wrapped under an epoch that is active until it is stored.
create or replace function mnemo.check_seals(p_drafts mnemo.draft[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bad record;
begin
    select d.ordinal, d.key into v_bad
    from unnest(p_drafts) as d
    where d.attributes ? '$seal'
      and not exists (select from mnemo.data_key k where k.id = mnemo.seal_of(d.attributes) and k.tenant = mnemo.tenant() and k.purpose = 'memory')
    order by d.ordinal limit 1;
    if found then
        raise exception 'the data key of a sealed memory is not registered' using errcode = 'MN018',
            detail = format('Memory %s of the batch%s.', v_bad.ordinal + 1, coalesce(', key ' || quote_literal(v_bad.key), '')),
            hint = 'Seal it anew: a data key seals one memory, and is registered in the transaction that stores it.';
    end if;
end
$$;

-- Raises MN002 when promoting (demoting) any of the memories to p_tier would make it slower (faster).
create or replace function mnemo.check_direction(p_ids uuid[], p_tier text, p_direction text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong record;
begin
    select a.id, a.tier into v_wrong
    from unnest(p_ids) as w (id)
    join mnemo.activity a on a.bucket = mnemo.bucket_of(w.id) and a.id = w.id
    join mnemo.tier here on here.tier = a.tier
    join mnemo.tier there on there.tier = p_tier
    where a.tenant = (select mnemo.tenant())
      and case p_direction when 'promote' then there.place > here.place else there.place < here.place end
    limit 1;
    if found then
        raise exception 'cannot % memory % from % to %', p_direction, v_wrong.id, v_wrong.tier, p_tier using errcode = 'MN002';
    end if;
end
$$;

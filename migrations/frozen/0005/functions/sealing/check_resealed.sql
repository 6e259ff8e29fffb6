-- MN002 where changed attributes of a memory hold a value in clear that its collection wants sealed, or name another data key: what
-- is sealed under a data key is sealed once.
create or replace function mnemo.check_resealed(p_collection text, p_before jsonb, p_after jsonb) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection mnemo.collection := mnemo.collection(p_collection);
    v_problem    text;
begin
    v_collection.sealed := array_remove(v_collection.sealed, '$content');
    v_problem := mnemo.sealed_problem(v_collection, '', p_after);
    if v_problem is not null then
        raise exception '%', v_problem using errcode = 'MN002';
    elsif p_before -> '$seal' is distinct from p_after -> '$seal' then
        raise exception 'attribute $seal cannot be changed' using errcode = 'MN002', hint = 'Remember the memory anew, with the same key.';
    end if;
end
$$;

-- Charges a batch of drafts that is about to be written, its keys resolved and the activity rows of known ones locked: new
-- memories whole, rewritten ones with what they grow by. p_revived: what was archived of them until now, and is not counted
-- as new. p_into: as for mnemo.write_drafts.
create or replace function mnemo.charge_drafts(p_drafts mnemo.draft[], p_revived mnemo.archived_memory[], p_into regclass, p_writes bigint)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_known  uuid[] := array(select d.id from unnest(p_drafts) as d where d.existed);
    v_new    bigint;
    v_bytes  bigint;
    v_before bigint := (select coalesce(sum(mnemo.payload_bytes(r)), 0) from unnest(p_revived) as r);
    v_loaded bigint := 0;
begin
    select count(*) filter (where not d.existed), coalesce(sum(mnemo.payload_bytes(d)), 0) into v_new, v_bytes
    from unnest(p_drafts) as d
    where d.existed is not null;
    if v_known <> '{}' then
        v_before := v_before + (
            select coalesce(sum(mnemo.payload_bytes(m)), 0)
            from mnemo.activity a
            join mnemo.memory m on m.segment = a.segment and m.bucket = a.bucket and m.id = a.id
            where a.id = any (v_known));
        if p_into <> 'mnemo.memory'::regclass then
            execute format('select coalesce(sum(mnemo.object_bytes(m.content, m.embedding) '
                           '+ mnemo.kept_bytes(m.context, m.session, m.key, m.attributes)), 0) '
                           'from %s m where m.id = any ($1)', p_into) into v_loaded using v_known;
        end if;
    end if;
    perform mnemo.charge(v_new - coalesce(cardinality(p_revived), 0), v_bytes - v_before - v_loaded, p_writes);
end
$$;

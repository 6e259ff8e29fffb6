-- Queues the next thousands of memories that were there before the copy policy; returns how many. 0: there are none, or
-- somebody else is at it, or a transaction is under way that may not have seen the policy: what it writes is queued by nobody
-- but this, afterwards.
create or replace function mnemo.queue_backlog() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_rows  constant integer := 20000;
    v_after uuid;
    v_since xid8;
    v_last  uuid;
    v_done  bigint;
    v_held  text[] := mnemo.held_tenants();
begin
    select b.after, b.since into v_after, v_since from mnemo.copy_backlog b for update skip locked;
    if not found or pg_snapshot_xmin(pg_current_snapshot()) <= v_since or exists (
        select from pg_stat_activity s
        where s.datname = current_database() and s.pid <> pg_backend_pid() and age(s.backend_xmin) >= age(v_since::xid)
    ) then
        return 0;
    end if;
    with old as materialized (
        select a.id, a.bucket, a.tenant from mnemo.activity a where a.id > v_after and a.tenant <> all (v_held) order by a.id limit c_rows
    ), queued as (
        insert into mnemo.uncopied (at, id, bucket, forgotten, tenant)
        select mnemo.now(), o.id, o.bucket, false, o.tenant from old o order by o.id
    )
    select count(*), (array_agg(o.id order by o.id desc))[1] into v_done, v_last from old o;
    if v_done < c_rows then
        delete from mnemo.copy_backlog;
    else
        update mnemo.copy_backlog set after = v_last;
    end if;
    perform mnemo.injection_point('copies.backlog_queued');
    return v_done;
end
$$;

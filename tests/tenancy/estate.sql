-- Something of the tenant in mnemo.tenant in every table that can hold something of one, by the engine's own functions where
-- these can. plant.secret stands wherever content does, plant.key is a vault key; what names things begins with the tenant. One statement at a time.
create function pg_temp.called(what text) returns text language sql as $$ select current_setting('mnemo.tenant') || '-' || what $$;
create function pg_temp.secrets() returns jsonb language sql as
$$ select jsonb_build_object('secret', current_setting('plant.secret'), 'term', pg_temp.called('term')) $$;

select mnemo.remember(
    format('%s tells of number %s and nothing else', current_setting('plant.secret'), n), context => pg_temp.called('context'),
    session => pg_temp.called('session'), attributes => pg_temp.secrets(), key => pg_temp.called('key' || coalesce('-' || nullif(n, 0), '')),
    tier => (array['hot', 'warm', 'cold'])[1 + n % 3])
from generate_series(0, 23) as n;
select mnemo.publish('memory.write', pg_temp.secrets(), pg_temp.called('context'));
select mnemo.item(pg_temp.called('item'), mnemo.random_hypervector(current_setting('plant.secret')));
select mnemo.advance_ingest(pg_temp.called('source'), 'memories', 0, 7);
select mnemo.set_quota(current_setting('mnemo.tenant'), memories => 1000);
select mnemo.set_residency(current_setting('mnemo.tenant'), array['file:///']);

-- What is learned from use, and what waits to be.
select count(*) from mnemo.recall_text('number 3', context => pg_temp.called('context'));
select mnemo.fold_accesses();
select count(*) from mnemo.recall_text('number 3', context => pg_temp.called('context'));
select mnemo.fold_accesses();
select mnemo.promote(array(select a.id from mnemo.activity a where a.tenant = current_setting('mnemo.tenant') and a.tier = 'warm' limit 1), 'hot');
select count(*) from mnemo.recall_text('number 5');
select mnemo.fold_terms(current_setting('mnemo.tenant'), 'memories');
select mnemo.remember(pg_temp.called('term') || ' late', key => 'late');
insert into mnemo.accessed (bucket, id)
select a.bucket, a.id from mnemo.activity a where a.tenant = current_setting('mnemo.tenant') and a.tier = 'cold' on conflict do nothing;
insert into mnemo.pending_hypervector (made_at, segment, bucket, id, place, writer, hdv)
select now(), m.segment, m.bucket, m.id, m.ctid, m.xmin, m.hdv from mnemo.memory m where m.tenant = current_setting('mnemo.tenant') and m.segment = 2;

-- An archived segment, with what happens to its rows.
select set_config('plant.segment', (select greatest(max(s.segment), 1000000) + 1 from mnemo.segment s)::text, false);
select mnemo.create_partition('archived_' || current_setting('plant.segment'), 'archive');
select mnemo.index_partition('archived_' || current_setting('plant.segment'), 'archive');
select mnemo.attach_partition('archived_' || current_setting('plant.segment'), current_setting('plant.segment')::integer, 'archive', 'archived');
insert into mnemo.archived_memory (
    occurred_at, created_at, ltp_at, segment, row_number, ltp, access_count, bucket, id, tenant, collection, context, session, key, attributes, sketch)
select now(), now(), now(), current_setting('plant.segment')::integer, n, 0.5, 0, mnemo.bucket_of(i.id), i.id, current_setting('mnemo.tenant'), 'memories',
       pg_temp.called('context'), pg_temp.called('session'), pg_temp.called('archived-' || n), pg_temp.secrets(), mnemo.random_hypervector('sketch')
from generate_series(0, 1) as n cross join lateral (select mnemo.new_id((77 + n)::smallint) as id) as i;
insert into mnemo.memory_key (tenant, collection, key, bucket, id)
select a.tenant, a.collection, a.key, a.bucket, a.id from mnemo.archived_memory a where a.tenant = current_setting('mnemo.tenant');
insert into mnemo.archived_access (bucket, id, accesses, last_access)
select a.bucket, a.id, 3, now() from mnemo.archived_memory a where a.tenant = current_setting('mnemo.tenant');
insert into mnemo.restore_request (bucket, id, tier, reason, requested_at)
select a.bucket, a.id, 'warm', current_setting('plant.secret'), now() from mnemo.archived_memory a where a.tenant = current_setting('mnemo.tenant') limit 1;
insert into mnemo.tombstone (segment, row_number, id, tenant, collection, reason, at, attributes)
values (current_setting('plant.segment')::integer, 9, gen_random_uuid(), current_setting('mnemo.tenant'), 'memories', 'forgotten', now(), pg_temp.secrets());

-- Vault items: of both schemes, and one that was shredded.
select mnemo.vault_put(pg_temp.called('name'), convert_to(current_setting('plant.secret'), 'UTF8'), convert_to(current_setting('plant.key'), 'UTF8'), metadata => pg_temp.secrets());
select mnemo.start_epoch(1, 'file:///keys', '\x01');
do $$
declare
    v_item uuid;
    v_name text;
begin
    foreach v_name in array array[pg_temp.called('sealed'), pg_temp.called('shredded')] loop
        v_item := mnemo.vault_begin(v_name);
        perform mnemo.vault_put_chunk(v_item, 0, convert_to(current_setting('plant.secret'), 'UTF8'), 'the third key');
        perform mnemo.vault_finish(v_item, v_name, 'memory', pg_temp.secrets(), 7, 4096, null, null, 1, '\x02', 1::smallint);
    end loop;
end
$$;
select mnemo.begin_shred(2, 'file:///keys', '\x03', array[pg_temp.called('shredded')]);

-- What comes of failures, and of years.
insert into mnemo.event_retry (subscription, attempts, seq, at, lane, topic, tenant, context, payload)
select s.id, 1, 1, now(), 0, 'memory.write', current_setting('mnemo.tenant'), pg_temp.called('context'), pg_temp.secrets()
from mnemo.subscription s where s.name = 'readers';
insert into mnemo.dead_letter (subscription, attempts, seq, at, died_at, lane, topic, tenant, context, payload)
select s.id, 5, 1, now(), now(), 0, 'memory.write', current_setting('mnemo.tenant'), pg_temp.called('context'), pg_temp.secrets()
from mnemo.subscription s where s.name = 'readers';
select mnemo.record_audit('event.application', 'act', pg_temp.secrets());
insert into mnemo.audit_checkpoint (at, seq, tenant, hash) values (now(), 0, current_setting('mnemo.tenant'), sha256(''));
select mnemo.grant_tenant('mnemo_owner', current_setting('mnemo.tenant'));

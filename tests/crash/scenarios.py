"""What reaches each injection point of sql/: preparation, action, and the points that the action passes."""

from dataclasses import dataclass

# Every database of the matrix starts with these; no job is left but that of its scenario.
BASE = (
    "delete from mnemo.job",
    "select mnemo.subscribe('watch', array(select t.name from mnemo.topic t), true)",
    "select mnemo.remember('hot ' || n, mnemo.random_hypervector('h' || n), key => 'h' || n,"
    " context => 'c' || n % 3, attributes => jsonb_build_object('n', n), importance => 0.75,"
    " pinned => n % 10 = 0) from generate_series(1, 30) n",
    "select mnemo.remember('warm ' || n, mnemo.random_hypervector('w' || n), key => 'w' || n,"
    " context => 'c' || n % 3, importance => 0.5, tier => 'warm', pinned => n = 10)"
    " from generate_series(1, 10) n",
    "select mnemo.remember('cold ' || n, mnemo.random_hypervector('x' || n), key => 'x' || n,"
    " importance => 0.2, tier => 'cold', pinned => n = 10) from generate_series(1, 10) n",
)
STEP = "select from mnemo.run_job_step()"
IDS = "array(select k.id from mnemo.memory_key k where k.key ~ '^({})$')"


@dataclass(frozen=True)
class Scenario:
    """`prepare` runs at the first day, `action` in one transaction `days` later.

    With `job`, a job of that function is added, its run opened, and its next step is the action; a `worker`
    does all that as `mnemo worker`. `again` is what a client does anew after a crash of the server, which
    empties mnemo.access_log.
    """

    points: tuple[str, ...]
    action: str = STEP
    prepare: tuple[str, ...] = ()
    days: float = 10
    job: str | None = None
    worker: bool = False
    again: str | None = None


BULK = 'select mnemo.configure(\'{"bulk_move_rows": 5, "bulk_move_most": 6}\')'
LATER = "select set_config('mnemo.clock', '2030-01-11T00:00:00Z', false)"
PARTITIONS = (BULK, LATER, *["select mnemo.demote_in_bulk('hot')"] * 4, "select mnemo.demote_step('hot')")
LOG = "insert into mnemo.access_log select * from public.saved"
RECALLS = (
    *(
        f"select mnemo.recall(mnemo.random_hypervector('{cue}'), 3, context => 'c1')"
        for cue in ("h1", "h4", "w1", "h1")
    ),
    "create table public.saved as select * from mnemo.access_log",
)
PUBLISHED = (
    "select mnemo.subscribe('s', array['memory.forget'], true, max_attempts => 1)",
    "select mnemo.publish('memory.forget', jsonb_build_object('n', n), 'c1') from generate_series(1, 8) n",
)
# Of five: two done, one refused, and so two behind it.
COMPLETE = (
    "select mnemo.complete_events('s', min(b.lane), min(b.lease), array_agg(b.seq) filter (where b.n < 3),"
    " array_agg(b.seq) filter (where b.n = 3), array['refused'])"
    " from (select *, row_number() over (order by seq) as n from public.batch) b"
)
SAID = (
    "select mnemo.remember('Ann: said ' || n || ' of tea', context => 's', key => 't' || n,"
    " importance => 0.75) from generate_series(1, 7) n",
)
STAGE = (
    "select mnemo.stage_hypervectors(array_agg(s.id), array_agg(s.segment), array_agg(s.place),"
    " array_agg(s.writer), array_agg(mnemo.random_hypervector('of ' || s.texts[1])::varbit))"
    " from mnemo.surroundings(array(select d.id from mnemo.due_for_encoding(100, '20 days') d)) s"
)
LEARN = (*RECALLS, "select mnemo.fold_accesses()")
ADAPT = (
    "select mnemo.alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 30}')",
    "select mnemo.add_adaptive_policy('hot-capacity', 0.9, 10, 1000)",
    "select mnemo.adapt_step('{}')",
    "select set_config('mnemo.clock', '2030-01-02T00:00:00Z', false)",
    "select mnemo.adapt_step('{}')",
    "insert into mnemo.telemetry (at, since, hot_accesses, warm_accesses, cold_accesses,"
    " hot_memories, warm_memories, cold_memories, hot_bytes, warm_bytes, cold_bytes)"
    " values ('2030-01-03', '2030-01-02 12:00', 100, 9900, 0, 30, 10, 10, 1, 1, 1)",
)
# An export of the cold segment; what a client would have written and verified is taken on trust.
STORE = (
    "select mnemo.attach_store('file:///objects')",
    "create function public.attempt() returns uuid language sql as"
    " 'select s.attempt from mnemo.segment s where s.attempt is not null'",
    "create function public.keys() returns text[] language sql as"
    " $$ select array_agg(i.database || '/segments/' || public.attempt() || '/' || o.name order by o.name)"
    " from mnemo.identity i, unnest(array['a.npy', 'b.parquet', 'c.json']) as o (name) where i.is_current $$",
)
BEGIN_EXPORT = "select from mnemo.begin_export('me', 2)"
NOTE_OBJECTS = (
    "select mnemo.note_objects(public.attempt(), public.keys(), '{1, 1, 1}', array_fill(sha256(''), '{3}'))"
)
NOTE_STORED = "select mnemo.note_stored(public.attempt(), public.keys())"
FINISH_EXPORT = (
    "select mnemo.open_exported();"
    " insert into pg_temp.mnemo_exported"
    " select (row_number() over (order by m.key))::integer - 1, e.bucket, e.id, m.tenant, m.collection,"
    " e.place, e.writer from mnemo.export_sketches(2) e join mnemo.memory m using (bucket, id);"
    " select mnemo.finish_export(public.attempt(), row(null, null, null, null, k[1], k[2], k[3], 128, 32, '',"
    " 1024, '{0}', '{1}', '', '', '{}')::mnemo.archive) from public.keys() as k"
)
NOTED = (*STORE, BEGIN_EXPORT, NOTE_OBJECTS)
ARCHIVED = (*NOTED, NOTE_STORED, FINISH_EXPORT)
# What a client would read back from the objects of that export.
ORIGINAL = (
    "create table public.original as select (row_number() over (order by m.key))::integer - 1 as row_number,"
    " m.id, m.occurred_at, m.content, m.attributes, m.embedding, m.encoded,"
    " mnemo.content_hash(m) as hash, m.hdv"
    " from mnemo.memory m join mnemo.export_sketches(2) e using (bucket, id) where m.segment = 2"
)
KEPT = (*NOTED, NOTE_STORED, ORIGINAL, FINISH_EXPORT)
FETCH = (
    "select mnemo.open_fetched(); insert into pg_temp.mnemo_fetched select r.attempt, o.row_number, o.id,"
    " o.occurred_at, o.content, o.attributes, o.embedding, o.encoded, o.hash, o.hdv"
    " from public.original o, mnemo.archive r{};"
)
DEAD = (
    f"select mnemo.forget(({IDS.format('x3')})[1])",
    "select mnemo.remember('again', mnemo.random_hypervector('a'), key => 'x4', tier => 'warm')",
)
REQUEST = (
    "insert into mnemo.restore_request (bucket, id, tier, reason, requested_at)"
    " select a.bucket, a.id, 'hot', 'accesses', mnemo.now() from mnemo.archived_memory a where key <= 'x2'"
)
BEGIN_RESTORE = "select from mnemo.begin_restore('me', 1000001)"
BEGIN_COMPACTION = "select from mnemo.begin_compaction('me')"
READ_DEAD = FETCH.format(" where o.row_number in (2, 3)")
KEEP_REST = (
    "select mnemo.open_kept(); insert into pg_temp.mnemo_kept select (row_number() over (order by"
    " o.row_number))::integer - 1, r.attempt, o.row_number, o.id from public.original o, mnemo.archive r"
    " where o.row_number not in (2, 3);"
)
EXCHANGE = (
    "select mnemo.finish_compaction(public.attempt(), row(null, null, null, null, k[1], k[2], k[3], 128, 32,"
    " '', 1024, '{0}', '{1}', '', '', '{}')::mnemo.archive) from public.keys() as k"
)
FINISH_COMPACTION = f"{READ_DEAD} {KEEP_REST} {EXCHANGE}"
# Objects that were needed no more long ago.
DROPPED = (
    *NOTED,
    "select mnemo.abandon_export(public.attempt())",
    "update mnemo.object set changed_at = now() - interval '40 days'",
    "create table public.name as select i.database from mnemo.identity i where i.is_current",
)
CLAIM = "select from public.name n, mnemo.claim_garbage(n.database, '{}', '{}')"
# Copies, likewise.
COPYING = (
    STORE[0],
    "create function public.copying() returns uuid language sql as 'select attempt from mnemo.copy_attempt'",
    "create function public.copy_keys() returns text[] language sql as"
    " $$ select array_agg(i.database || '/copies/' || public.copying() || '/' || o.name order by o.name)"
    " from mnemo.identity i, unnest(array['a.npy', 'b.parquet', 'c.json']) as o (name) where i.is_current $$",
    "select mnemo.add_copy_policy('copies')",
)
BEGIN_COPY = (
    "select from mnemo.begin_copy('me')",
    "select mnemo.note_objects(public.copying(), public.copy_keys(), '{1, 1, 1}',"
    " array_fill(sha256(''), '{3}'))",
    "select mnemo.note_stored(public.copying(), public.copy_keys())",
)
FINISH_COPY = "select mnemo.finish_copy(public.copying(), public.copy_keys(), 50, 0)"
COPIED_TWICE = (
    *COPYING,
    "select mnemo.queue_backlog()",
    *BEGIN_COPY,
    FINISH_COPY,
    "select mnemo.remember('once more', mnemo.random_hypervector('o'), key => 'h4')",
    *BEGIN_COPY,
    FINISH_COPY,
)
LOST = (
    "create table public.lost as select m.id, m.tenant, m.collection, m.key, m.context, m.session,"
    " m.occurred_at, m.created_at, m.content, m.attributes, m.encoded, a.ltp as strength,"
    " a.ltp_at as strength_at, a.last_access, a.access_count, mnemo.content_hash(m) as content_sha256,"
    " m.embedding, m.hdv, a.tier, a.pinned from mnemo.memory m join mnemo.activity a using (bucket, id)"
    " where m.key in ('h5', 'w5')",
    "select mnemo.forget(id) from public.lost",
)
MOVED = ("move.memories_moved", "move.recorded")
COPIED = ("copy.copied", "copy.indexed")

SCENARIOS = {
    "prune the audit": Scenario(
        ("audit.pruning",),
        "select mnemo.prune_audit(clock_timestamp())",
        ("select mnemo.record_audit('vault.get', n::text) from generate_series(1, 5) n",),
    ),
    "remember": Scenario(
        ("remember.written",),
        "select mnemo.remember('again', mnemo.random_hypervector('a'), key => 'h1', tier => 'warm'),"
        " mnemo.remember('new', mnemo.random_hypervector('n'), key => 'new')",
    ),
    "forget": Scenario(("forget.deleted",), f"select mnemo.forget(({IDS.format('h2')})[1])"),
    "demote by hand": Scenario(MOVED, f"select mnemo.demote({IDS.format('h3|h4|h10')}, 'cold')"),
    "promote by hand": Scenario(MOVED, f"select mnemo.promote({IDS.format('w3|x4|x10')}, 'hot')"),
    "fold": Scenario(
        ("fold.taken", "fold.counted"), prepare=RECALLS, days=0, job="mnemo.fold_step", again=LOG
    ),
    "recompute": Scenario(
        ("recompute.deadlines",),
        prepare=("select mnemo.alter_tier_policy('hot-decay', '{\"threshold\": 0.65}')",),
        job="mnemo.consolidate_step",
    ),
    "promote": Scenario(
        ("promote.locked", *MOVED),
        prepare=tuple(["select mnemo.reinforce(k.id) from mnemo.memory_key k where k.key ~ '^w'"] * 20),
        days=1,
        job="mnemo.consolidate_step",
    ),
    "demote": Scenario(("demote.locked", *MOVED), job="mnemo.consolidate_step"),
    "evict": Scenario(
        ("evict.locked", *MOVED),
        prepare=("select mnemo.alter_eviction_policy('hot-capacity', '{\"capacity_rows\": 10}')",),
        days=0.5,
        job="mnemo.consolidate_step",
    ),
    "bulk": Scenario(
        (*COPIED, "bulk.writers_wait", "bulk.rows_deleted", "move.recorded", "bulk.attached"),
        prepare=(BULK,),
        job="mnemo.consolidate_step",
    ),
    "stage": Scenario(("hypervectors.staged",), STAGE, SAID),
    "demote with hypervectors": Scenario(MOVED, prepare=(*SAID, STAGE), job="mnemo.consolidate_step"),
    "bulk with hypervectors": Scenario(
        (*COPIED, "bulk.rows_deleted", "bulk.attached"),
        prepare=(*SAID, STAGE, BULK),
        job="mnemo.consolidate_step",
    ),
    "fold terms": Scenario(("terms.folded",), prepare=SAID, days=0, job="mnemo.fold_terms_step"),
    "recount terms": Scenario(("terms.recounted",), "select mnemo.recount_terms()", SAID, days=0),
    "merge": Scenario(
        (*COPIED, "merge.writers_wait", "merge.attached"), prepare=PARTITIONS, job="mnemo.consolidate_step"
    ),
    "drop": Scenario(
        ("merge.dropped",), prepare=(*PARTITIONS, "select mnemo.merge_step()"), job="mnemo.consolidate_step"
    ),
    "expire": Scenario(
        ("expire.locked", "forget.deleted"),
        prepare=(
            "select mnemo.add_ttl_policy('end', '5 days', tier => 'cold')",
            "select mnemo.recompute_step()",
        ),
        job="mnemo.expire_step",
    ),
    "seal": Scenario(
        ("archive.sealed",),
        prepare=("select mnemo.add_archive_policy('idle', '5 days')",),
        job="mnemo.archive_step",
    ),
    "archive": Scenario(
        ("archive.announced",),
        prepare=("select mnemo.add_archive_policy('idle', '5 days')", LATER, "select mnemo.archive_step()"),
        job="mnemo.archive_step",
    ),
    "begin an export": Scenario(("archive.sealed", "export.begun"), BEGIN_EXPORT, STORE),
    "note objects": Scenario(("archive.objects_noted",), NOTE_OBJECTS, (*STORE, BEGIN_EXPORT)),
    "note stored objects": Scenario(("archive.objects_stored",), NOTE_STORED, NOTED),
    "finish an export": Scenario(
        ("export.copied", "export.indexed", "export.locked", "export.rows_deleted", "export.attached"),
        FINISH_EXPORT,
        (*NOTED, NOTE_STORED, f"select mnemo.forget(({IDS.format('x5')})[1])"),
    ),
    "abandon an export": Scenario(
        ("export.abandoned",), "select mnemo.abandon_export(public.attempt())", NOTED
    ),
    "restart an attempt": Scenario(
        ("archive.restarted",), "select mnemo.restart_attempt(public.attempt())", NOTED
    ),
    "forget what is archived": Scenario(
        ("archive.buried", "forget.deleted"), f"select mnemo.forget(({IDS.format('x3')})[1])", ARCHIVED
    ),
    "write what is archived": Scenario(
        ("archive.buried", "remember.written"),
        "select mnemo.remember('again', mnemo.random_hypervector('a'), key => 'x4', tier => 'warm')",
        ARCHIVED,
    ),
    "fold what is archived": Scenario(
        ("archive.accesses_counted",),
        prepare=(
            *ARCHIVED,
            *["select mnemo.recall(mnemo.random_hypervector('x2'), 1, archive => true)"] * 2,
            "create table public.saved as select * from mnemo.access_log",
        ),
        days=0,
        job="mnemo.fold_step",
        again=LOG,
    ),
    "attach a copy": Scenario(
        ("archive.forked", "archive.attached"),
        "select mnemo.attach_store('file:///objects')",
        ARCHIVED,
        days=0,
    ),
    "accept a token": Scenario(
        ("archive.token_accepted",),
        "select mnemo.accept_token(i.next_token) from mnemo.identity i where i.is_current",
        STORE,
        days=0,
    ),
    "claim restores": Scenario(
        ("restore.claimed",), "select from mnemo.claim_restores()", (*KEPT, REQUEST), days=0
    ),
    "fail restores": Scenario(
        ("restore.failed",),
        f"select mnemo.fail_restores({IDS.format('x1|x2')}, 'dry')",
        (*KEPT, REQUEST),
        days=0,
    ),
    "restore memories": Scenario(
        ("restore.checked", "archive.buried", "restore.recorded"),
        FETCH.format(" where o.row_number < 3") + " select mnemo.restore_memories('hot', 'accesses')",
        (*KEPT, REQUEST),
    ),
    "begin to restore a segment": Scenario(("restore.begun",), BEGIN_RESTORE, KEPT, days=0),
    "give up restores": Scenario(
        ("restore.abandoned",),
        "select mnemo.abandon_restores()",
        (*KEPT, BEGIN_RESTORE, "update mnemo.segment set lease_until = now() where attempt is not null"),
        days=0,
    ),
    "restore a segment": Scenario(
        (
            *("restore.copied", "restore.indexed", "restore.writers_wait", "restore.recorded"),
            *("restore.rows_deleted", "restore.attached"),
        ),
        FETCH.format("") + " select mnemo.finish_restore(public.attempt(), 'warm')",
        (*KEPT, *DEAD, BEGIN_RESTORE),
    ),
    "begin a compaction": Scenario(("compact.begun",), BEGIN_COMPACTION, (*KEPT, *DEAD), days=0),
    "compact": Scenario(
        (
            *("compact.copied", "compact.indexed", "compact.writers_wait", "compact.rows_deleted"),
            "compact.attached",
        ),
        FINISH_COMPACTION,
        (*KEPT, *DEAD, BEGIN_COMPACTION, NOTE_OBJECTS, NOTE_STORED),
    ),
    "give up objects": Scenario(
        ("gc.abandoned",),
        "select mnemo.abandon_objects()",
        (
            *NOTED,
            "update mnemo.segment set state = 'sealed', attempt = null, lease_until = null where segment = 2",
        ),
        days=0,
    ),
    "claim garbage": Scenario(("gc.claimed",), CLAIM, DROPPED, days=0),
    "forget objects": Scenario(
        ("gc.forgotten",),
        "select mnemo.forget_objects(array(select o.key from mnemo.object o))",
        (*DROPPED, CLAIM),
        days=0,
    ),
    "keep objects after all": Scenario(
        ("gc.released",),
        "select mnemo.release_garbage(array(select o.key from mnemo.object o))",
        (*DROPPED, CLAIM),
        days=0,
    ),
    "queue what is older": Scenario(
        ("copies.backlog_queued",), "select mnemo.queue_backlog()", COPYING, days=0
    ),
    "begin a copy": Scenario(
        ("copies.begun",), BEGIN_COPY[0], (*COPYING, "select mnemo.queue_backlog()"), days=0
    ),
    "finish a copy": Scenario(
        ("copies.finished",), FINISH_COPY, (*COPYING, "select mnemo.queue_backlog()", *BEGIN_COPY), days=0
    ),
    "begin to merge copies": Scenario(
        ("copies.merge_begun",), "select from mnemo.begin_merge('me', true)", COPIED_TWICE, days=0
    ),
    "merge copies": Scenario(
        ("copies.finished",),
        FINISH_COPY,
        (*COPIED_TWICE, "select from mnemo.begin_merge('me', true)", *BEGIN_COPY[1:]),
        days=0,
    ),
    "copy anew": Scenario(("copies.redone",), "select mnemo.redo_copies(2)", COPIED_TWICE, days=0),
    "give up a segment": Scenario(
        ("verify.given_up",),
        "select mnemo.give_up_segment(1000001); select mnemo.recount_terms()",
        (*ARCHIVED, "select mnemo.forget(id) from mnemo.archived_memory"),
        days=0,
    ),
    "bring back lost memories": Scenario(
        ("copies.restoring", "copies.restored"),
        "select mnemo.open_copy_staging(); insert into pg_temp.copy_staging select * from public.lost;"
        " select mnemo.restore_copies(); select mnemo.recount_terms()",
        LOST,
        days=0,
    ),
    "claim": Scenario(
        ("event.ticked", "event.claimed"), "select from mnemo.claim_events('s', 10)", PUBLISHED, days=0
    ),
    "complete": Scenario(
        ("event.completing", "event.parked", "event.completed"),
        COMPLETE,
        (*PUBLISHED, "create table public.batch as select * from mnemo.claim_events('s', 5)"),
        days=0,
    ),
    "rotate": Scenario(
        ("event.rotated",),
        prepare=('select mnemo.configure(\'{"event_keep_count": 1, "event_keep_hours": 1}\')',),
        job="mnemo.trim_events",
    ),
    "trim": Scenario(
        ("event.trimming", "event.trimmed"),
        prepare=(
            "select mnemo.unsubscribe('watch')",
            'select mnemo.configure(\'{"event_keep_count": 1, "event_keep_hours": 1}\')',
            LATER,
            "select mnemo.trim_events()",
            "select mnemo.publish('memory.forget', '{}')",
        ),
        job="mnemo.trim_events",
    ),
    "predict": Scenario(
        ("predict.prefetched",),
        prepare=(*LEARN, "select mnemo.publish('inference.predict', '{}', 'c1')"),
        days=0,
        job="mnemo.predict_step",
    ),
    "adapt": Scenario(("adapt.changed",), prepare=ADAPT, days=3, job="mnemo.adapt_step"),
    "worker": Scenario(
        ("job.opened", "job.claimed", "job.stepped", "job.recorded"),
        job="mnemo.consolidate_step",
        worker=True,
    ),
    "failing worker": Scenario(
        ("job.failed",),
        prepare=(
            "create function public.fail(jsonb) returns bigint language plpgsql"
            " as $$ begin raise exception 'dry'; end $$",
        ),
        job="public.fail",
        worker=True,
    ),
}

"""One server, a database for each case, clients stopped at each point: so that one kill serves all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine.embedded import EmbeddedServer
from tests.crash.cases import SCENARIOS
from tests.crash.scenarios import BASE, STEP, Scenario

_PROGRAM = (sys.executable, "-c", "from engine.cli import main; main()")
Connection = psycopg.Connection[tuple[Any, ...]]
Case = tuple[str, str]
_START = datetime(2030, 1, 1, tzinfo=UTC)
_HOLD: LiteralString = "select pg_advisory_lock(hashtext('mnemo.injection_point'), hashtext(%s))"
# By key, since a memory written after the crash has another id.
_MEMORIES: LiteralString = (
    "select coalesce(m.key, m.id::text), m.id, mnemo.content_hash(m), m.content, a.tier, a.pinned, a.ltp,"
    " a.ltp_at, a.entered_tier_at, a.leaves_tier_at, a.due_at, a.expires_at, a.access_count, a.tier_accesses"
    " from mnemo.memory m join mnemo.activity a using (bucket, id)"
)
_REST: dict[str, LiteralString] = {
    "moves": "select memory_id, from_tier, to_tier, policy, reason, strength from mnemo.move_log",
    "jobs": (
        "select j.name, j.enabled, j.failures, r.state, r.steps, r.work, r.error"
        " from mnemo.job j left join mnemo.job_run r on r.job = j.name"
    ),
    "partitions": "select tier, state, count(*) from mnemo.segment group by 1, 2",
    "policies": "select policy, before::text, after::text from mnemo.policy_change",
    "hypervectors": (
        "select coalesce(m.key, m.id::text), m.encoded, md5(m.hdv::text), p.id is not null"
        " from mnemo.memory m left join mnemo.pending_hypervector p using (bucket, id)"
    ),
    "associations": "select tenant, context, a, b, weight from mnemo.association",
    "waiting accesses": "select at, memory_ids::text from mnemo.access_log",
    "archive": (
        "select coalesce(a.key, a.id::text), a.id, a.row_number, md5(a.sketch::text), a.ltp, a.access_count,"
        " c.accesses, r.reason from mnemo.archived_memory a"
        " left join mnemo.archived_access c using (bucket, id)"
        " left join mnemo.restore_request r using (bucket, id)"
    ),
    "tombstones": "select t.segment, t.row_number, t.id, t.reason from mnemo.tombstone t",
    "objects": (
        "select o.state, split_part(o.key, '/', 4), exists (select from mnemo.archive r"
        " where o.key in (r.hdv_key, r.rows_key, r.manifest_key)) from mnemo.object o"
    ),
    "quotas": "select tenant, memories_used, bytes_used, memories, writes_full_at from mnemo.quota",
    "residencies": "select tenant, stores::text, held from mnemo.residency",
    "dead letters": "select subscription, topic, memory_id, error from mnemo.dead_letter",
    "slots": "select slot from mnemo.event_log",
    "audit": "select e.seq, e.action from mnemo.audit e where e.tenant = 'default'",
    "vault": (
        "select i.name, i.bytes, (select string_agg(octet_length(c.body)::text, ' ' order by c.position)"
        " from mnemo.vault_chunk c where c.item = i.id), d.epoch, d.wrapped"
        " from mnemo.vault_item i full join mnemo.data_key d using (id)"
    ),
    "epochs": "select epoch, state, final_at from mnemo.vault_key",
    "shreddings": "select whole_tenant, epochs::text, finished_at is not null from mnemo.shredding",
}


def clock(days: float) -> str:
    """Return the time so many days after the first, without spaces."""
    return (_START + timedelta(days=days)).isoformat()


def rows_of(db: Connection) -> dict[str, str]:
    """Return a digest of every table in schema mnemo.

    But the log of accesses, which a crash empties, and whose the keys of vaults are: each copy's own.
    """
    tables = db.execute(
        "select c.relname from pg_class c where c.relnamespace = 'mnemo'::regnamespace and c.relkind = 'r'"
        " and c.relname not in ('access_log', 'vault_home')"
    ).fetchall()
    query = sql.SQL("select md5(string_agg(t::text, ' ' order by t::text)) from mnemo.{} t")
    return {name: str(db.execute(query.format(sql.Identifier(name))).fetchone()) for (name,) in tables}


class Matrix:
    """The databases of all cases, each in the state just before the action of its scenario."""

    def __init__(self, server: EmbeddedServer, cases: list[Case]) -> None:
        self.server = server
        """The one to kill, on the same directory as the one these databases were made with."""
        self.cases = {case: f"case_{number}" for number, case in enumerate(cases)}
        self.before: dict[str, dict[str, str]] = {}
        self.expected: dict[str, dict[str, Any]] = {}
        self._holders: list[Connection] = []
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as db:
            self._copy(db, "mnemo", "base")
            with self.connect("base", 0) as base:
                for statement in BASE:
                    base.execute(statement.encode())
            for number, name in enumerate(dict.fromkeys(name for name, _ in cases)):
                scenario, database = SCENARIOS[name], f"scenario_{number}"
                self._copy(db, "base", database)
                with self.connect(database, 0) as prepared:
                    self._prepare(prepared, scenario)
                    self.before[name] = rows_of(prepared)
                for case, copy in self.cases.items():
                    if case[0] == name:
                        self._copy(db, database, copy)
                        # A case goes on with the vault as the database that it is a copy of.
                        with self.connect(copy, 0) as copied:
                            copied.execute("update mnemo.vault_home set fingerprint = mnemo.fingerprint()")
                self.expected[name] = self.completed(database, scenario, crashed=False)

    def _copy(self, db: Connection, template: str, name: str) -> None:
        create = sql.SQL("create database {} template {} strategy file_copy")
        db.execute(create.format(sql.Identifier(name), sql.Identifier(template)))

    def _prepare(self, db: Connection, scenario: Scenario) -> None:
        for statement in scenario.prepare:
            db.execute(statement.encode())
        if scenario.job is not None:
            # Whatever the preparation set the clock to.
            db.execute("select set_config('mnemo.clock', %s, false)", [clock(0)])
            db.execute("select mnemo.add_job('crash', %s, '1 hour')", [scenario.job])
            if not scenario.worker:
                db.execute(STEP.encode())

    def dsn(self, database: str, days: float, point: str | None = None) -> str:
        """Return a connection string to a database at a time; with a point, of one that stops there."""
        options = f"-c mnemo.clock={clock(days)} -c timezone=UTC -c client_connection_check_interval=50ms"
        if point is not None:
            options += f" -c mnemo.injection_point={point}"
        return make_conninfo(self.server.dsn(database), options=options)

    def connect(self, database: str, days: float) -> Connection:
        """Open an autocommit connection to a database at a time."""
        return psycopg.connect(self.dsn(database, days), autocommit=True)

    def stop_all(self) -> tuple[list["subprocess.Popen[str]"], set[Case]]:
        """Start the action of every case; return the processes, and the cases that wait at their points."""
        scripts, processes = [], []
        for (scenario_name, point), database in self.cases.items():
            scenario = SCENARIOS[scenario_name]
            holder = self.connect(database, 0)
            holder.execute(_HOLD, [point])
            self._holders.append(holder)
            name = "mnemo worker" if scenario.worker else "victim"
            dsn = make_conninfo(self.dsn(database, scenario.days, point), application_name=name)
            if scenario.worker:
                argv = [
                    sys.executable,
                    "-c",
                    "from engine.cli import main; main()",
                    "worker",
                    "--once",
                    "--dsn",
                    dsn,
                ]
                processes.append(self._run(argv))
            else:
                scripts.append((dsn, f"begin; {scenario.action}"))
        processes.append(self._run([sys.executable, "-m", "tests.crash.victim"], json.dumps(scripts)))
        return processes, self._await(processes)

    def _run(self, argv: list[str], told: str = "") -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdin is not None
        process.stdin.write(told)
        process.stdin.close()
        return process

    def _await(self, processes: list["subprocess.Popen[str]"]) -> set[Case]:
        # Nobody is still under way once each waits at its point, is idle, or has ended.
        query: LiteralString = (
            "select datname, wait_event = 'advisory' from pg_stat_activity"
            " where backend_type = 'client backend' and application_name in ('victim', 'mnemo worker')"
            " and (wait_event = 'advisory' or application_name = 'victim' and state like 'idle in%')"
        )
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as db:
            while True:
                ended = sum(process.poll() is not None for process in processes)
                found: dict[str, bool] = dict(db.execute(query).fetchall())
                waiting = {case for case, database in self.cases.items() if found.get(database)}
                if len(found.keys() & set(self.cases.values())) + ended >= len(self.cases):
                    return waiting

    def kill_clients(self, processes: list["subprocess.Popen[str]"]) -> None:
        """Kill -9 the clients, and wait until the server has noticed."""
        for process in processes:
            process.kill()
            process.wait()
        gone = "select from pg_stat_activity where application_name in ('victim', 'mnemo worker')"
        with psycopg.connect(self.server.dsn("postgres"), autocommit=True) as db:
            while db.execute(gone).rowcount:
                pass
        self._release()

    def kill_server(self, processes: list["subprocess.Popen[str]"]) -> None:
        """Kill -9 the server with everybody in the middle of it, and start it again."""
        pid = self.server.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self._release()
        for process in processes:
            process.kill()
            process.wait()
        self.server.start()

    def _release(self) -> None:
        for holder in self._holders:
            holder.close()
        self._holders.clear()

    def completed(self, database: str, scenario: Scenario, *, crashed: bool) -> dict[str, Any]:
        """Do the action to its end, run what is due and deliver all events; return what then is so."""
        with self.connect(database, scenario.days) as db:
            if crashed and scenario.again:
                db.execute(scenario.again.encode())
            if scenario.action != STEP:
                db.execute(scenario.action.encode())
            db.execute("call mnemo.run_due_jobs()")
            state: dict[str, Any] = {
                name: Counter(db.execute(query).fetchall()) for name, query in _REST.items()
            }
            state["words"] = self._counted(db)
            memories = db.execute(_MEMORIES).fetchall()
            ids = {row[1]: row[0] for row in memories}
            # Those written by the action have another id each time.
            state["memories"] = Counter((row[0], *row[3:]) if row[0] == "new" else row for row in memories)
        with self.connect(database, scenario.days + 1) as db:
            state["delivered"] = self._delivered(db, ids)
        return state

    def _counted(self, db: Connection) -> set[tuple[Any, ...]]:
        """Return the statistics of words once they are added up: as a recount has them."""
        while db.execute("select mnemo.fold_terms_step()").fetchone() != (0,):
            pass
        query: LiteralString = (
            "select role, term, memories from mnemo.term"
            " union all select 'corpus', words::text, memories from mnemo.corpus"
        )
        counted = set(db.execute(query).fetchall())
        # The words of archived memories are in the objects, which are taken on trust here.
        if db.execute("select from mnemo.archive").rowcount:
            return counted
        db.execute("select mnemo.recount_terms()")
        assert set(db.execute(query).fetchall()) == counted
        return counted

    def _delivered(self, db: Connection, ids: dict[Any, str]) -> set[tuple[Any, ...]]:
        delivered = set()
        names = [name for (name,) in db.execute("select name from mnemo.subscription order by 1").fetchall()]
        for name in names:
            while True:
                batch = db.execute(
                    "select lane, lease, seq, topic, tenant, context, memory_id, payload::text"
                    " from mnemo.claim_events(%s, 1000)",
                    [name],
                ).fetchall()
                if not batch:
                    break
                delivered |= {(name, *row[3:6], ids.get(row[6], row[6]), row[7]) for row in batch}
                for lane, lease in {row[:2] for row in batch}:
                    done = [row[2] for row in batch if row[:2] == (lane, lease)]
                    db.execute("select mnemo.complete_events(%s, %s, %s, %s)", [name, lane, lease, done])
        return delivered


def server_for(folder: Path, *, durable: bool) -> EmbeddedServer:
    """Return a server that keeps out of the tests' way; not durable, it makes databases faster."""
    settings = {
        "shared_buffers": "64MB",
        "max_connections": "400",
        "max_wal_size": "128MB",
        "autovacuum": "off",
        "jit": "off",
        # One call instead of one for each of thousands of files.
        "recovery_init_sync_method": "syncfs",
    }
    return EmbeddedServer(folder / "data", settings=settings | ({} if durable else {"fsync": "off"}))


def quick_place() -> str | None:
    """Return a folder in memory, where there is room: to a killed process that is as good as a disk."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30 else None

"""The embedded server: start, stop and look at PostgreSQL on one data directory."""

import errno
import os
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM
from types import MappingProxyType

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from engine.embedded import install, processes
from engine.embedded import settings as tuning
from engine.embedded.account import DESCRIPTORS, Account, Reach, make_private_dir, server_account, write_file
from engine.embedded.cluster import SUPERUSER, Cluster
from engine.embedded.diagnosis import explain, log_of_last_start
from engine.embedded.errors import EmbeddedServerError
from engine.embedded.install import Installation
from engine.embedded.processes import PidFile, locked

DEFAULT_PORT = 5432
DATABASE = "mnemo"
HOST = "127.0.0.1"
START_PATIENCE_S = 600.0
STOP_PATIENCE_S = 120.0
LOGGER_PATIENCE_S = 5.0
ANSWER_PATIENCE_S = 10.0
_STOP_SIGNALS = {"smart": SIGTERM, "fast": SIGINT, "immediate": SIGQUIT}
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class ServerStatus:
    """The server as it is now. `port` names the socket file too; `dsn` goes through the socket."""

    running: bool
    pid: int | None
    data_dir: Path
    socket_dir: Path
    port: int
    version: str
    dsn: str


class EmbeddedServer:
    """PostgreSQL on a data directory of Mnemo's own, reached by a socket that only its owner can open.

    With `port` it listens on 127.0.0.1 at that port as well, for programs that cannot use the socket;
    that way in asks for a password, which lies in the owner-only file `pgpass` of the data directory.
    `settings` are PostgreSQL settings that override the computed ones; they take effect at the next start.
    All methods block. Errors are EmbeddedServerError, and say what to do.
    """

    def __init__(
        self, data_dir: Path, *, port: int | None = None, settings: Mapping[str, str] = _NO_SETTINGS
    ) -> None:
        if port is not None and not 1 <= port <= 65535:
            raise EmbeddedServerError(f"the port must be between 1 and 65535, not {port}")
        self._cluster = Cluster(Path(data_dir))
        self._port = port
        self._settings = dict(settings)
        tuning.render({}, self._settings)

    def start(self) -> ServerStatus:
        """Start the server unless it runs already; the first time, install and initialise it.

        Safe to call from several processes at once: all return with the one server, ready, and its
        database `mnemo` made.
        """
        account = self._cluster.prepare()
        with locked(self._cluster.lock):
            found = self._running()
            if found is not None:
                self._check_port(found)
            # One that is just ending, even if it still looks alive, is waited for, then started anew.
            if found is None or not self._serves(found.pid):
                with account.reach(self._cluster.data_dir) as reach:
                    self._start(account, install.ensure(account), reach)
            return self.status()

    def stop(self, mode: str = "fast") -> bool:
        """Stop the server; False when it was not running.

        `smart` waits for clients to leave, `fast` ends them, `immediate` skips the checkpoint, so that
        the next start recovers from the log.
        """
        if mode not in _STOP_SIGNALS:
            raise EmbeddedServerError(f"the mode must be one of {', '.join(_STOP_SIGNALS)}, not {mode!r}")
        if self._running() is None:
            return False
        with locked(self._cluster.lock):
            found = self._running()
            if found is None:
                return False
            processes.send(found.pid, _STOP_SIGNALS[mode])
            # Its logger ends last; only then may the directory be removed.
            if processes.wait_for_end(self._cluster.pgdata, STOP_PATIENCE_S):
                raise EmbeddedServerError(
                    f"the server (process {found.pid}) did not stop in {STOP_PATIENCE_S:.0f} s; "
                    "clients may still be connected: stop it in mode fast or immediate"
                )
            if self._cluster.socket_dir.parent != self._cluster.data_dir:
                with suppress(OSError):
                    self._cluster.socket_dir.rmdir()
            return True

    def status(self) -> ServerStatus:
        """Look at the server without changing anything."""
        found = self._running()
        installation = install.find()
        return ServerStatus(
            running=found is not None,
            pid=found.pid if found else None,
            data_dir=self._cluster.data_dir,
            socket_dir=self._socket_dir(found),
            port=self._port_in_use(found),
            version=installation.version if installation else "",
            dsn=self._dsn(found, DATABASE),
        )

    def dsn(self, database: str = DATABASE) -> str:
        """The libpq connection string, keyword form, through the socket; its host is a directory."""
        return self._dsn(self._running(), database)

    def tcp_dsn(self, database: str = DATABASE) -> str:
        """The connection string through the TCP port; it names the password file, not the password."""
        found = self._running()
        if found is None or not found.listen_address:
            raise EmbeddedServerError("the server does not listen on a TCP port; start it with a port")
        return make_conninfo(
            host=HOST, port=found.port, dbname=database, user=SUPERUSER, passfile=str(self._cluster.pgpass)
        )

    def binary(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs, such as psql; installs PostgreSQL when it is missing."""
        return self._installation().binary(name)

    def environment(self) -> dict[str, str]:
        """This process's environment, with what PostgreSQL's programs need to find their libraries."""
        environment = dict(os.environ)
        for name, value in self._installation().environment.items():
            inherited = environment.get(name)
            environment[name] = f"{value}:{inherited}" if inherited else value
        return environment

    def _installation(self) -> Installation:
        return install.find() or install.ensure(server_account(self._cluster.pgdata, self._cluster.data_dir))

    def _running(self) -> PidFile | None:
        found = processes.read_pid_file(self._cluster.pgdata)
        return found if found is not None and processes.is_alive(found.pid, self._cluster.pgdata) else None

    def _dsn(self, found: PidFile | None, database: str) -> str:
        return make_conninfo(
            host=str(self._socket_dir(found)), port=self._port_in_use(found), dbname=database, user=SUPERUSER
        )

    def _socket_dir(self, found: PidFile | None) -> Path:
        told = Path(found.socket_dir) if found is not None and found.socket_dir else None
        # A descriptor's link means something to the server alone.
        return self._cluster.socket_dir if told is None or DESCRIPTORS in told.parents else told

    def _port_in_use(self, found: PidFile | None) -> int:
        return found.port if found is not None and found.port else self._port or DEFAULT_PORT

    def _check_port(self, found: PidFile) -> None:
        if self._port is not None and (found.port, bool(found.listen_address)) != (self._port, True):
            listens = f"on port {found.port}" if found.listen_address else "on no TCP port"
            raise EmbeddedServerError(
                f"the server on {self._cluster.data_dir} runs already and listens {listens}, not on port "
                f"{self._port}; stop it first (`mnemo down`), then start it with that port"
            )

    def _start(self, account: Account, installation: Installation, reach: Reach) -> None:
        cluster = self._cluster
        if cluster.initialised:
            cluster.check(installation)
        else:
            durable = self._settings.get("fsync", "on") == "on"
            cluster.initialise(account, installation, reach, durable=durable)
        for directory in (cluster.log_dir, cluster.socket_dir):
            make_private_dir(directory, account)
        computed = tuning.compute(tuning.measure(cluster.data_dir))
        write_file(cluster.conf, tuning.render(computed, self._settings), 0o644)
        cluster.clear_remains(account)
        if self._port is not None:
            _check_port_is_free(self._port)
        if not self._serves(self._launch(account, installation, reach)):
            on = f"{cluster.data_dir}, port {self._port}" if self._port else str(cluster.data_dir)
            # The logger outlives the postmaster, and may still be writing why it ended.
            processes.wait_for_end(cluster.pgdata, LOGGER_PATIENCE_S)
            log = log_of_last_start(cluster.log_dir)
            raise EmbeddedServerError(f"PostgreSQL did not start on {on}: {explain(log)} ({cluster.log_dir})")

    def _launch(self, account: Account, installation: Installation, reach: Reach) -> int:
        cluster = self._cluster
        log_dir, socket_dir = reach.path / cluster.log_dir.name, cluster.socket_dir
        if socket_dir.parent == cluster.data_dir:
            socket_dir = reach.path / socket_dir.name
        # On the command line, where neither the user's files nor ALTER SYSTEM can change them.
        fixed = {
            "cluster_name": processes.cluster_name(cluster.pgdata),
            "listen_addresses": HOST if self._port is not None else "",
            "port": str(self._port or DEFAULT_PORT),
            "unix_socket_directories": str(socket_dir),
            "unix_socket_permissions": "0700",
            "logging_collector": "on",
            "log_directory": str(log_dir),
        }
        options = [word for name, value in fixed.items() for word in ("-c", f"{name}={value}")]
        # The shell leaves at once, so that the server belongs to no process of ours and outlives them all.
        script = 'log=$1; shift; "$@" </dev/null >"$log" 2>&1 & echo $!'
        argv: list[str | Path] = ["/bin/sh", "-c", script, "sh", log_dir / "start.log"]
        argv += [installation.binary("postgres"), "-D", reach.path / cluster.pgdata.name, *options]
        started = account.run(argv, installation.environment, reach.keep)
        if started.returncode != 0 or not started.stdout.strip().isdigit():
            raise EmbeddedServerError(f"cannot start PostgreSQL: {started.stderr.strip()}")
        return int(started.stdout)

    def _serves(self, pid: int) -> bool:
        """Wait until the server answers and its database is there; False when it ended instead."""
        deadline = time.monotonic() + ANSWER_PATIENCE_S
        while self._becomes_ready(pid):
            try:
                self._make_database()
            except psycopg.Error as error:
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"the server on {self._cluster.data_dir} runs but does not serve: "
                        f"{str(error).strip()}. Its log: {self._cluster.log_dir}"
                    ) from error
                time.sleep(0.05)
            else:
                return True
        return False

    def _becomes_ready(self, pid: int) -> bool:
        """Wait until the server accepts connections; False when it ended instead."""
        deadline = time.monotonic() + START_PATIENCE_S
        unseen = 0
        while True:
            alive = processes.is_alive(pid, self._cluster.pgdata)
            # In the instant of exec a process has no command line to know it by.
            unseen = 0 if alive else unseen + 1
            found = processes.read_pid_file(self._cluster.pgdata)
            if alive and found is not None and found.pid == pid and found.ready:
                return True
            if unseen == 3:
                return False
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"the server (process {pid}) is not ready after {START_PATIENCE_S:.0f} s; it may still "
                    f"be recovering: see {self._cluster.log_dir}, and start again to go on waiting"
                )
            time.sleep(0.01)

    def _make_database(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [DATABASE])
            if known.fetchone() is None:
                name = sql.Identifier(DATABASE)
                connection.execute(sql.SQL("create database {} template template0").format(name))
            if self._port is not None:
                self._set_password(connection)

    def _set_password(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Keep the password of the TCP port: made once, known only to the file and, hashed, to the server."""
        try:
            password = self._cluster.pgpass.read_text(encoding="ascii").strip().rpartition(":")[2]
        except FileNotFoundError:
            password = secrets.token_urlsafe(24)
            write_file(self._cluster.pgpass, f"{HOST}:*:*:{SUPERUSER}:{password}\n", 0o600)
        except OSError as error:
            raise EmbeddedServerError(f"cannot read {self._cluster.pgpass}: {error.strerror}") from error
        hashed = connection.pgconn.encrypt_password(password.encode(), SUPERUSER.encode(), b"scram-sha-256")
        statement = sql.SQL("alter role {} password {}")
        connection.execute(statement.format(sql.Identifier(SUPERUSER), sql.Literal(hashed.decode())))


def _check_port_is_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EACCES:
                why, remedy = "is not for ordinary users", "choose one above 1023"
            else:
                why, remedy = "is in use by another program", f"find it with `ss -ltnp 'sport = :{port}'`"
            raise EmbeddedServerError(
                f"port {port} on {HOST} {why}: {remedy}, choose another port, "
                "or give none (mnemo itself uses a socket and needs no port)"
            ) from error

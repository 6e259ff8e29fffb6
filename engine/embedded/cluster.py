"""The files of a data directory: made, checked, and cleared of what a crash leaves."""

import hashlib
import os
import re
import shutil
import signal
from pathlib import Path

from engine.embedded import processes
from engine.embedded.account import (
    Account,
    Reach,
    make_private_dir,
    make_shared_dir,
    own_account,
    server_account,
    write_file,
)
from engine.embedded.diagnosis import explain
from engine.embedded.errors import EmbeddedServerError
from engine.embedded.install import Installation

SUPERUSER = "postgres"
# The address of a Unix socket holds 107 bytes; the file name takes up to 19 of them.
SOCKET_DIR_BYTES = 107 - len("/.s.PGSQL.65535.lock")
ORPHAN_PATIENCE_S = 15.0


class Cluster:
    """The layout of a data directory, all of it made by Mnemo.

    `pgdata/` is PostgreSQL's, `run/` holds the socket, `log/` the logs; `mnemo.conf` is included by
    `pgdata/postgresql.conf`; `pgpass` holds the password for the TCP port, where one was asked for.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.expanduser().resolve()
        self.pgdata = self.data_dir / "pgdata"
        self.log_dir = self.data_dir / "log"
        self.lock = self.data_dir / "server.lock"
        self.conf = self.data_dir / "mnemo.conf"
        self.pgpass = self.data_dir / "pgpass"
        self.socket_dir = self._socket_dir()

    @property
    def initialised(self) -> bool:
        """Whether PostgreSQL's part is there, sound or not."""
        return self.pgdata.exists()

    def prepare(self) -> Account:
        """Make the directory, or check the one that is there; returns the account that runs its server."""
        try:
            there = sorted(entry.name for entry in self.data_dir.iterdir())
        except FileNotFoundError:
            there = []
        except OSError as error:
            raise self._unusable(error) from error
        if there and not {"server.lock", "pgdata"} & set(there):
            raise EmbeddedServerError(
                f"{self.data_dir} is not empty and is not a data directory of Mnemo (it holds {there[0]!r}); "
                "choose an empty or a new directory with --data-dir or MNEMO_DATA_DIR"
            )
        make_shared_dir(self.data_dir)
        account = server_account(self.pgdata, self.data_dir)
        if not self.initialised:
            self._make_owned(account)
        if self.initialised and self.pgdata.stat().st_uid != account.uid:
            owner = self.pgdata.stat().st_uid
            raise EmbeddedServerError(
                f"{self.data_dir} belongs to another user (number {owner}); run mnemo as that user or as "
                "root, or choose another data directory with --data-dir or MNEMO_DATA_DIR"
            )
        return account

    def _make_owned(self, account: Account) -> None:
        try:
            if self.data_dir.stat().st_uid == os.geteuid():
                if account.switched:
                    # Root keeps the directory, so that it never follows a link made by the server's account.
                    os.chown(self.data_dir, 0, account.gid)
                self.data_dir.chmod(0o750 if account.switched else 0o700)
        except OSError as error:
            raise self._unusable(error) from error

    def initialise(
        self, account: Account, installation: Installation, reach: Reach, *, durable: bool
    ) -> None:
        """Run initdb in a directory beside and rename it, so that a half-made cluster never counts as one."""
        fresh = self.data_dir / "pgdata.new"
        shutil.rmtree(fresh, ignore_errors=True)
        make_private_dir(fresh, account)
        argv: list[str | Path] = [installation.binary("initdb"), "--pgdata", reach.path / fresh.name]
        argv += ["--username", SUPERUSER]
        argv += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--data-checksums", "--auth-local=trust", "--auth-host=scram-sha-256"]
        argv += [] if durable else ["--no-sync"]
        made = account.run(argv, installation.environment, reach.keep)
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise EmbeddedServerError(f"cannot initialise {self.pgdata}: {_last_error(made.stderr)}")
        text = (fresh / "postgresql.conf").read_text(encoding="utf-8")
        write_file(fresh / "postgresql.conf", text + "\ninclude = '../mnemo.conf'\n", 0o600, account)
        fresh.rename(self.pgdata)

    def check(self, installation: Installation) -> None:
        """Refuse a directory of another major version, or one that lacks what every cluster has."""
        remedy = "move it away and start again with an empty one, or restore it from a backup"
        try:
            major = (self.pgdata / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            raise EmbeddedServerError(f"{self.pgdata} is damaged: PG_VERSION is missing; {remedy}") from None
        except OSError as error:
            raise self._unusable(error) from error
        if not re.fullmatch(r"\d+", major):
            raise EmbeddedServerError(f"{self.pgdata} is damaged: PG_VERSION says {major[:20]!r}; {remedy}")
        if major != installation.major:
            raise EmbeddedServerError(
                f"{self.pgdata} was made by PostgreSQL {major}, and this Mnemo carries PostgreSQL "
                f"{installation.version}: dump it with pg_dump of PostgreSQL {major} and load the dump into "
                "a new data directory, or run pg_upgrade; or choose another data directory"
            )
        if not (self.pgdata / "global" / "pg_control").is_file():
            raise EmbeddedServerError(f"{self.pgdata} is damaged: global/pg_control is missing; {remedy}")

    def clear_remains(self, account: Account) -> None:
        """Make a crashed server's remains harmless. Call only under the lock, with no postmaster alive."""
        self._end_orphans()
        remains = processes.read_pid_file(self.pgdata)
        if remains is not None and processes.is_taken(remains.pid):
            # The rest of the file stays: it names the shared memory that PostgreSQL checks for users.
            path = self.pgdata / "postmaster.pid"
            _, newline, rest = processes.pid_file_text(self.pgdata).partition("\n")
            write_file(path, str(processes.IMPOSSIBLE_PID) + newline + rest, 0o600, account)
        elif remains is None:
            # Empty or damaged, as a full disk or a power cut leaves it; PostgreSQL would refuse it.
            (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        for left in self.socket_dir.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)

    def _end_orphans(self) -> None:
        """Wait for the children of a killed postmaster, which end by themselves unless they are busy."""
        orphans = processes.wait_for_end(self.pgdata, ORPHAN_PATIENCE_S)
        for sign in (signal.SIGQUIT, signal.SIGKILL):
            for pid in orphans:
                processes.send(pid, sign)
            if orphans:
                orphans = processes.wait_for_end(self.pgdata, ORPHAN_PATIENCE_S)
        if not orphans:
            return
        raise EmbeddedServerError(
            f"processes of the earlier server on {self.data_dir} do not end: {orphans}; "
            "they hang in the disk or the kernel. End them, or restart the machine, then start again"
        )

    def _socket_dir(self) -> Path:
        run = self.data_dir / "run"
        plain = re.fullmatch(r"[A-Za-z0-9/_.+-]+", str(run))
        # Commas, quotes and spaces mean something in lists of hosts; a short name avoids every quoting rule.
        if plain and len(os.fsencode(run)) <= SOCKET_DIR_BYTES:
            return run
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path("/tmp") / f"mnemo-{digest}"

    def _unusable(self, error: OSError) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"cannot use the data directory {self.data_dir}: {error.strerror}. Choose one in which user "
            f"{own_account().name} may write, with --data-dir or MNEMO_DATA_DIR"
        )


def _last_error(text: str) -> str:
    errors = re.findall(r"(?:initdb: )?(?:error|fatal):\s*(.*)", text, re.IGNORECASE)
    return f"{errors[-1]}. {explain(text)}" if errors else explain(text)

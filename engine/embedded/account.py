"""Who runs the server: the user himself, or for root an unprivileged account, as PostgreSQL refuses root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from engine.embedded.errors import EmbeddedServerError
from engine.embedded.processes import locked

SYSTEM_ACCOUNT = "mnemo"
SYSTEM_DIR = Path("/var/lib/mnemo")
# Linux follows these links to an open directory without a look at the directory's parents.
DESCRIPTORS = Path("/proc/self/fd")


class Reach(NamedTuple):
    """What an account's programs call a directory, and the descriptors that they need open for that."""

    path: Path
    keep: tuple[int, ...] = ()


@dataclass(frozen=True)
class Account:
    """The account that runs the server; `switched` when it is not the one that runs this process."""

    name: str
    uid: int
    gid: int
    switched: bool

    def run(
        self,
        argv: Sequence[str | Path],
        env: Mapping[str, str],
        keep: Sequence[int] = (),
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account in a session of its own, out of reach of the terminal's Ctrl-C."""
        try:
            return subprocess.run(
                [str(word) for word in argv],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", **env},
                cwd="/",
                user=self.uid if self.switched else None,
                group=self.gid if self.switched else None,
                extra_groups=[] if self.switched else None,
                umask=0o077,
                pass_fds=keep,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedServerError(
                f"{argv[0]} did not finish in {timeout:.0f} s; see if the disk is stuck"
            ) from error
        except OSError as error:
            raise EmbeddedServerError(f"cannot run {argv[0]} as user {self.name}: {error}") from error

    def give(self, path: Path, mode: int) -> None:
        """Set owner and mode of a path that this process has just made."""
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(mode)

    @contextmanager
    def reach(self, directory: Path) -> Iterator[Reach]:
        """A name of the directory that this account's programs can use, to be started within the context.

        Its path; behind a parent that the account cannot enter, such as /root, a descriptor's link.
        Refuses a directory that the account cannot get to in either way.
        """
        if not self.switched:
            yield Reach(directory)
            return
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            link = Reach(DESCRIPTORS / str(descriptor), (descriptor,))
            steps = [*reversed(directory.parents), directory]
            script = 'link=$1; shift; for step; do test -x "$step" || { echo "$step"; break; }; done; '
            script += 'test -x "$link"'
            looked = self.run(["/bin/sh", "-c", script, "sh", link.path, *steps], {}, link.keep)
            closed = looked.stdout.strip()
            if closed and looked.returncode != 0:
                raise EmbeddedServerError(
                    f"the server runs as the system user {self.name}, because PostgreSQL refuses to run as "
                    f"root, and that user cannot enter {closed}, which leads to {directory}. Choose a "
                    f"directory under {SYSTEM_DIR} (the default is {default_data_dir()}), or open it with "
                    f"`chmod o+x {closed}`, or run mnemo as the user who owns it"
                )
            yield link if closed else Reach(directory)
        finally:
            os.close(descriptor)


def base_dir() -> Path:
    """Where installation and data lie: /var/lib/mnemo for root, the XDG data directory for everyone else."""
    if os.geteuid() == 0:
        return SYSTEM_DIR
    configured = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification says to ignore relative paths.
    home = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "share"
    return home / "mnemo"


def default_data_dir() -> Path:
    """The data directory used where the configuration names none."""
    return base_dir() / "data"


def own_account() -> Account:
    """The account of this process."""
    return _account(os.geteuid(), switched=False)


def server_account(*existing: Path) -> Account:
    """The account that is to run a server on the first of `existing` paths that exists.

    A normal user runs it himself. For root it is the owner of what is there; root's own directories
    go to the system account, which is created where it is missing.
    """
    if os.geteuid() != 0:
        return own_account()
    for path in existing:
        if path.exists():
            owner = path.stat().st_uid
            if owner != 0:
                return _account(owner, switched=True)
            break
    return system_account()


def system_account() -> Account:
    """The unprivileged system account, created on first use. Root only."""
    known = _lookup(SYSTEM_ACCOUNT)
    if known is None:
        make_shared_dir(SYSTEM_DIR)
        with locked(SYSTEM_DIR / "account.lock"):
            known = _lookup(SYSTEM_ACCOUNT) or _create_system_account()
    if known.uid == 0:
        raise EmbeddedServerError(f"the system user {SYSTEM_ACCOUNT} is another name for root; rename it")
    return known


CHOOSE_DATA_DIR = "choose another data directory with --data-dir or MNEMO_DATA_DIR"


def make_shared_dir(directory: Path, remedy: str = CHOOSE_DATA_DIR) -> None:
    """Make a directory with its parents; root's are open to the server's account whatever the umask."""
    if directory.is_dir():
        return
    try:
        if directory.parent != directory:
            make_shared_dir(directory.parent, remedy)
        directory.mkdir()
        if os.geteuid() == 0:
            directory.chmod(0o755)
    except FileExistsError:
        return
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot make the directory {directory}: {error.strerror}. Let user {own_account().name} write "
            f"there, or {remedy}"
        ) from error


def make_private_dir(directory: Path, account: Account) -> None:
    """Make or check a directory that only `account` (and root) can enter, mode 0700."""
    try:
        try:
            directory.mkdir(mode=0o700)
            account.give(directory, 0o700)
        except FileExistsError:
            pass
        # By descriptor, since the name may come to mean something else between two calls.
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(descriptor).st_uid != account.uid:
                raise EmbeddedServerError(
                    f"{directory} does not belong to user {account.name}; remove it and start again"
                )
            os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot prepare the directory {directory}: {error.strerror}. Let user {own_account().name} "
            f"write there, or {CHOOSE_DATA_DIR}"
        ) from error


def write_file(path: Path, text: str, mode: int, account: Account | None = None) -> None:
    """Replace a file in one step, without following a link that may lie in its place."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            if account is not None and account.switched:
                os.fchown(file.fileno(), account.uid, account.gid)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot write {path}: {error.strerror}. See that the disk is not full or read-only and that "
            f"user {own_account().name} may write there"
        ) from error


def _account(uid: int, *, switched: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(f"#{uid}", uid, os.getegid() if not switched else uid, switched)
    return Account(entry.pw_name, uid, entry.pw_gid, switched)


def _lookup(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid, switched=True)


def _create_system_account() -> Account:
    home, name = str(SYSTEM_DIR), SYSTEM_ACCOUNT
    useradd, adduser = shutil.which("useradd", path=_SBIN), shutil.which("adduser", path=_SBIN)
    if useradd:
        shell = "/usr/sbin/nologin" if Path("/usr/sbin/nologin").exists() else "/bin/false"
        argv = [
            useradd,
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            home,
            "--shell",
            shell,
            name,
        ]
    elif adduser:  # BusyBox
        argv = [adduser, "-S", "-D", "-H", "-h", home, "-s", "/bin/false", name]
    else:
        argv = []
    outcome = own_account().run(argv, {"PATH": _SBIN}) if argv else None
    created = _lookup(name)
    if created is None:
        why = outcome.stderr.strip() if outcome else "neither useradd nor adduser is there"
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root, and the system user {name} could not be created ({why}). "
            f"Create a user named {name}, or run mnemo as a normal user, or set MNEMO_DSN to another server"
        )
    return created


_SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

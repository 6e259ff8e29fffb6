"""Kill -9 of the client, and of the server, at every point named in sql/: nothing lost, doubled or stuck."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.migrate import upgrade
from engine.sources import source_dir
from tests.crash.cases import CASES, SCENARIOS
from tests.crash.matrix import Case, Matrix, quick_place, rows_of, server_for
from tests.support.databases import working_migrations
from tests.support.invariants import check_invariants

pytestmark = [pytest.mark.crash, pytest.mark.slow]
EACH = pytest.mark.parametrize("case", CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """A durable server with a database for each case."""
    with tempfile.TemporaryDirectory(prefix="mnemo-matrix-", dir=quick_place()) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = server_for(folder, durable=False)
        try:
            with working_migrations(folder):
                upgrade(server.start().dsn, bits=1024, sketch_bits=64)
            made = Matrix(server, CASES)
            server.stop()
            made.server = server_for(folder, durable=True)
            made.server.start()
            yield made
        finally:
            server.stop("immediate")


@pytest.fixture(scope="module")
def after_clients(matrix: Matrix) -> set[Case]:
    """The cases whose client was killed at its point."""
    processes, reached = matrix.stop_all()
    matrix.kill_clients(processes)
    return reached


@pytest.fixture(scope="module")
def untouched(matrix: Matrix, after_clients: set[Case]) -> dict[Case, tuple[dict[str, str], str | None]]:
    """Of each case, a digest of its tables after that, and what breaks an invariant."""
    return {case: look(matrix, case) for case in after_clients}


@pytest.fixture(scope="module")
def after_server(matrix: Matrix, untouched: object) -> set[Case]:
    """The cases at whose point the server was killed."""
    processes, reached = matrix.stop_all()
    matrix.kill_server(processes)
    return reached


def look(matrix: Matrix, case: Case) -> tuple[dict[str, str], str | None]:
    with matrix.connect(matrix.cases[case], 0) as db:
        try:
            check_invariants(db)
        except AssertionError as error:
            return rows_of(db), str(error)
        return rows_of(db), None


def check_undone(matrix: Matrix, case: Case, found: tuple[dict[str, str], str | None]) -> None:
    rows, broken = found
    assert broken is None
    if not SCENARIOS[case[0]].worker:
        # The action was one transaction: all is as it was, to the byte.
        assert rows == matrix.before[case[0]]


def test_every_point_has_a_scenario() -> None:
    named = re.compile(r"mnemo\.injection_point\('([^']+)'\)")
    found = {name for path in source_dir("sql").rglob("*.sql") for name in named.findall(path.read_text())}
    assert found == {point for _, point in CASES}


@EACH
def test_x6_a_client_killed_at_a_point_changes_nothing(
    matrix: Matrix, untouched: dict[Case, tuple[dict[str, str], str | None]], case: Case
) -> None:
    assert case in untouched, "the action did not pass this point"
    check_undone(matrix, case, untouched[case])


@EACH
def test_x6_a_server_killed_at_a_point_loses_nothing(
    matrix: Matrix, after_server: set[Case], case: Case
) -> None:
    assert case in after_server, "the action did not pass this point"
    check_undone(matrix, case, look(matrix, case))
    state = matrix.completed(matrix.cases[case], SCENARIOS[case[0]], crashed=True)
    assert state == matrix.expected[case[0]]
    _, broken = look(matrix, case)
    assert broken is None

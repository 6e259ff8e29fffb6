"""The wheel alone, in a clean environment, migrates a database."""

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import psycopg
import pytest

from engine import migrate
from engine.sources import source_dir

PROGRAM = """
import json, sys
from engine import migrate
from engine.sources import source_dir
result = migrate.upgrade(sys.argv[1], bits=2048, sketch_bits=512)
print(json.dumps([migrate.__file__, str(source_dir("sql")), str(source_dir("migrations")), result.after]))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program and return its output; its errors are part of a failure's message."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_migrates_a_database(empty_dsn: str, tmp_path: Path) -> None:
    checkout = Path(__file__).resolve().parents[2]
    dist, environment = tmp_path / "dist", tmp_path / "environment"
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, checkout, cwd=tmp_path)
    (wheel,) = dist.glob("*.whl")
    bundled = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("engine/_bundled/")}
    assert not [name for name in bundled if "__pycache__" in name]
    for name in ("sql", "migrations"):
        tree = source_dir(name)
        expected = {path for path in tree.rglob("*.sql") if path.is_file()}
        assert {f"engine/_bundled/{name}/{path.relative_to(tree).as_posix()}" for path in expected} <= bundled

    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    install = ("install", "--quiet", "--no-deps", "--no-index", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=tmp_path)
    # The dependencies come from this environment; a plain path line does not bring its editable installs.
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    output = run(python, "-c", PROGRAM, empty_dsn, cwd=tmp_path)
    *places, after = json.loads(output)
    assert all(Path(place).is_relative_to(packages) for place in places), places
    assert after == migrate.heads()[0] == migrate.current(empty_dsn)
    with psycopg.connect(empty_dsn) as connection:
        row = connection.execute("select value::int from mnemo.setting where name = 'bits'").fetchone()
    assert row == (2_048,)

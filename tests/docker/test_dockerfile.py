"""The Dockerfile by its rules, and what it copies against what is there."""

import re
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
KNOWN = frozenset(["FROM", "RUN", "COPY", "ENV", "VOLUME", "WORKDIR", "USER", "ENTRYPOINT", "CMD"])
TIERS = ("hot", "warm", "cold")


def instructions() -> list[tuple[str, str]]:
    """Keyword and argument of each instruction, continuation lines joined, comments left out."""
    lines = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", text).splitlines()
    parts = [line.split(maxsplit=1) for line in joined if line.strip()]
    return [(keyword, argument) for keyword, argument in parts]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage, by the stage's name."""
    number = 0
    numbered = []
    for instruction in instructions():
        number += instruction[0] == "FROM"
        numbered.append((number, instruction))
    groups = [[inner for _, inner in group] for _, group in groupby(numbered, key=lambda pair: pair[0])]
    return {group[0][1].split(" AS ")[1]: group for group in groups}


def test_every_instruction_is_known() -> None:
    assert {keyword for keyword, _ in instructions()} <= KNOWN


def test_every_base_image_names_its_version() -> None:
    bases = [argument.split()[0] for keyword, argument in instructions() if keyword == "FROM"]
    assert bases
    assert all(re.fullmatch(r"[a-z]+:\d[\w.-]+", base) for base in bases)


def test_the_command_does_not_run_as_root() -> None:
    users = [argument for keyword, argument in stages()["mnemo"] if keyword == "USER"]
    assert users == ["10001"]


def test_package_lists_do_not_stay_in_a_layer() -> None:
    for keyword, argument in instructions():
        if keyword == "RUN" and "apt-get install" in argument:
            assert "--no-install-recommends" in argument
            assert "rm -rf /var/lib/apt/lists/*" in argument


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    admitted = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert admitted[0] == "*"
    sources = [
        source
        for keyword, argument in instructions()
        if keyword == "COPY"
        for source in argument.split()[:-1]
        if not source.startswith("--")
    ]
    bound = re.findall(
        r"type=bind,source=([\w./]+)", (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    )
    assert bound == ["requirements.lock"]
    for source in [*sources, *bound]:
        assert (ROOT / source).exists(), source
        assert f"!{Path(source).parts[0]}" in admitted


def test_tablespaces_have_a_directory_and_a_volume() -> None:
    script = (ROOT / "docker" / "initdb" / "10-mnemo.sql").read_text(encoding="utf-8")
    database = dict(stages()["database"][1:])
    for tier in TIERS:
        assert f"create tablespace mnemo_{tier} location '/var/lib/mnemo/{tier}';" in script
        assert f'"/var/lib/mnemo/{tier}"' in database["VOLUME"]
    runs = " ".join(argument for keyword, argument in stages()["database"] if keyword == "RUN")
    assert all(f"/var/lib/mnemo/{tier}" in runs for tier in TIERS)


def test_data_is_checked_and_durable() -> None:
    environment = " ".join(argument for keyword, argument in stages()["database"] if keyword == "ENV")
    assert "--data-checksums" in environment
    settings = (ROOT / "docker" / "postgresql.conf").read_text(encoding="utf-8")
    assert "\nfsync = on\n" in settings
    assert "\nshared_preload_libraries = 'pg_cron'\n" in settings


def test_jobs_run_in_the_database_that_is_made() -> None:
    environment = " ".join(argument for keyword, argument in stages()["database"] if keyword == "ENV")
    settings = (ROOT / "docker" / "postgresql.conf").read_text(encoding="utf-8")
    (database,) = re.findall(r"^cron\.database_name = '(\w+)'$", settings, re.MULTILINE)
    assert f"POSTGRES_DB={database} " in environment

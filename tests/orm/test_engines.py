"""Engines: connection strings of every form, the session's settings, errors, the wire format."""

from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from engine.errors import InvalidArgument
from engine.orm import Memory, create_async_engine, create_engine, search
from engine.orm.asyncpg_arguments import asyncpg_arguments
from tests.orm.conftest import DRIVERS, running, vector


@pytest.mark.parametrize(
    ("dsn", "arguments"),
    [
        ("", {}),
        ("host=/run/pg dbname=d port=5433", {"host": ["/run/pg"], "database": "d", "port": 5433}),
        (
            "postgresql://ada:s%20ecret@h1:1,h2:2/d?connect_timeout=3&target_session_attrs=read-write",
            {
                "host": ["h1", "h2"],
                "port": [1, 2],
                "user": "ada",
                "password": "s ecret",
                "database": "d",
                "timeout": 3.0,
                "target_session_attrs": "read-write",
            },
        ),
        ("host=name hostaddr=::1 keepalives=1 channel_binding=prefer", {"host": ["::1"]}),
        (
            "sslmode=verify-full sslrootcert='/a b/root.crt'",
            {"dsn": "postgresql://?sslmode=verify-full&sslrootcert=%2Fa+b%2Froot.crt"},
        ),
        (
            "options='-c work_mem=8MB' fallback_application_name=f",
            {"server_settings": {"options": "-c work_mem=8MB", "application_name": "f"}},
        ),
        (
            "application_name=a fallback_application_name=f",
            {"server_settings": {"application_name": "a"}},
        ),
    ],
)
def test_asyncpg_is_told_the_same(dsn: str, arguments: dict[str, Any]) -> None:
    assert asyncpg_arguments(dsn) == arguments


@pytest.mark.parametrize(
    "dsn", ["channel_binding=require", "require_auth=scram-sha-256", "replication=database"]
)
def test_what_asyncpg_cannot_keep_is_refused(dsn: str) -> None:
    with pytest.raises(InvalidArgument, match=dsn.split("=", maxsplit=1)[0]):
        create_async_engine(dsn)


@pytest.mark.parametrize("dsn", ["host=h password='secret", "secret", "postgresql+asyncpg://a:secret@h/d"])
def test_a_string_that_is_none_never_shows_its_password(dsn: str) -> None:
    for make in (create_engine, create_async_engine):
        with pytest.raises(InvalidArgument) as caught:
            make(dsn)
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", ["pairs", "uri"])
async def test_both_forms_reach_the_server_with_their_options(
    module_dsn: str, driver: str, form: str
) -> None:
    options = {"application_name": "the test", "options": "-c work_mem=1234kB"}
    dsn = make_conninfo(module_dsn, **options)
    if form == "uri":
        parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
        dsn = f"postgresql:///{quote(parts.pop('dbname'))}?{urlencode(parts, quote_via=quote)}"
    async with running(driver, dsn, settings={"work_mem": "2MB"}, tenant="a b", ef_search=2000) as run:

        def work(session: Session) -> None:
            def shown(name: str) -> Any:
                return session.scalar(select(sqlalchemy.func.current_setting(name)))

            assert shown("application_name") == "the test"
            assert shown("mnemo.tenant") == "a b"
            session.rollback()
            assert shown("work_mem") == "2MB"
            assert (shown("mnemo.ef_search"), shown("hnsw.ef_search")) == ("2000", "1000")
            assert shown("hnsw.iterative_scan") == "relaxed_order"

        await run(work)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_an_engine_is_of_one_tenant(dsn: str, driver: str) -> None:
    def add(session: Session) -> None:
        session.add(Memory(content="a memory", hdv=vector(0)))
        session.commit()

    def count(session: Session) -> tuple[int, int]:
        hits = session.execute(search(vector(0)).select()).all()
        return len(session.scalars(select(Memory)).all()), len(hits)

    async with running(driver, dsn, tenant="one") as one, running(driver, dsn, tenant="two") as two:
        await one(add)
        assert await one(count) == (1, 1)
        assert await two(count) == (0, 0)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_errors_that_are_not_ours_stay_as_they_are(module_dsn: str, driver: str) -> None:
    async with running(driver, module_dsn) as run:
        for statement in (
            "select 1 / 0",
            "select nothing",
            "select '010'::bit(3) <> '01'::bit(2)::bit(3) from nowhere",
        ):
            with pytest.raises(DBAPIError):
                await run(partial(Session.execute, statement=text(statement)))


def test_hypervectors_travel_in_binary(dsn: str) -> None:
    formats = []
    engine = create_engine(dsn)

    @event.listens_for(engine, "after_cursor_execute")
    def executed(_: object, cursor: Any, *__: object) -> None:
        formats.append(cursor.format)

    with Session(engine) as session:
        session.add(Memory(content="memory", hdv=vector(0), attributes={"a": [1, None]}))
        session.commit()
        memory = session.scalars(select(Memory).execution_options(yield_per=1)).one()
        assert np.array_equal(memory.hdv, vector(0))
        assert memory.attributes == {"a": [1, None]}
        session.commit()
        formats.clear()
        session.execute(select(Memory.content, Memory.hdv)).all()
        session.execute(select(Memory.content)).all()
        # What psycopg may not know in binary keeps the whole row in text.
        whole = session.execute(select(Memory.hdv, text("array[content]"))).one()
        assert np.array_equal(whole[0], vector(0))
    assert formats == [Format.BINARY, Format.TEXT, Format.TEXT]
    engine.dispose()


def test_the_type_needs_no_engine_of_ours(dsn: str) -> None:
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=parts)
    with Session(engine) as session:
        session.add(Memory(content="memory", hdv=vector(0)))
        session.flush()
        session.expire_all()
        (memory,) = session.scalars(select(Memory).where(Memory.hdv.hamming(vector(0)) == 0))
        assert np.array_equal(memory.hdv, vector(0))
    engine.dispose()

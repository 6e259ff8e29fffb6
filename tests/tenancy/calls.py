"""Calls of any function with what an attacker has: arguments are filled in by their names and types."""

import random
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from tests.conftest import Connection
from tests.tenancy.estate import BITS, VAULT_KEY, Handles

# How many different sets of arguments a function with arguments gets.
_TRIES = 8
_PLAIN = {"internal", "trigger", "event_trigger", "cstring"}


@dataclass(frozen=True)
class Routine:
    """A function, aggregate or procedure and its arguments (name, type, has a default)."""

    name: str
    kind: str
    arguments: tuple[tuple[str, str, bool], ...]
    result: str


@dataclass(frozen=True)
class Call:
    """A call; `shown` is for whoever reads a failure."""

    statement: sql.Composed
    values: list[Any]
    shown: str


def routines(connection: Connection) -> list[Routine]:
    """Every routine of the schema that SQL can call."""
    rows = connection.execute(
        "select p.proname, p.prokind::text, p.prorettype::regtype::text,"
        " coalesce(p.proargnames[1:p.pronargs], '{}'), p.proargtypes::regtype[]::text[], p.pronargdefaults,"
        " coalesce(p.proargmodes::text[], '{}')"
        " from pg_proc p where p.pronamespace = 'mnemo'::regnamespace order by p.proname, p.oid"
    )
    found = []
    for name, kind, result, names, types, defaults, modes in rows:
        taken = [n for n, mode in zip(names, modes, strict=False) if mode in "iv"] if modes else names
        taken = [*taken, *[""] * (len(types) - len(taken))]
        arguments = tuple(
            (argument, kind_of, place >= len(types) - defaults)
            for place, (argument, kind_of) in enumerate(zip(taken, types, strict=True))
        )
        if result not in _PLAIN and not _PLAIN & set(types):
            found.append(Routine(name, kind, arguments, result))
    return found


def calls_of(routine: Routine, handles: Handles) -> list[Call]:
    """Some calls of a routine; the same ones each time."""
    if routine.kind == "p":
        return []
    tries = _TRIES if routine.arguments else 1
    return [_call(routine, handles, random.Random(f"{routine}{number}"), number) for number in range(tries)]


def _call(routine: Routine, handles: Handles, rng: random.Random, number: int) -> Call:
    parts: list[sql.Composable] = []
    values = []
    for name, kind, optional in routine.arguments:
        if optional and number > 0 and rng.random() < 0.4:
            continue
        value = _value(name, kind, handles, rng)
        cast = sql.SQL("%s::" + kind)
        if not name or routine.kind == "a":
            parts.append(cast)
        else:
            parts.append(sql.SQL("{} => {}").format(sql.Identifier(name), cast))
        values.append(value)
    called = sql.SQL("mnemo.{}({})").format(sql.Identifier(routine.name), sql.SQL(", ").join(parts))
    statement = sql.SQL("select * from {} as r" if routine.kind == "f" else "select {}").format(called)
    return Call(statement, values, f"{called.as_string()} {values}"[:400])


def _value(name: str, kind: str, handles: Handles, rng: random.Random) -> Any:
    if kind.endswith("[]"):
        inner = [_value(name, kind[:-2], handles, rng) for _ in range(2)]
        if kind.startswith("mnemo."):
            return "{}"
        return inner if rng.random() < 0.8 else inner[:1]
    match kind:
        case "uuid":
            return rng.choice(handles.ids)
        case "text" | "name" | "character varying":
            return _text(name, handles, rng)
        case "integer" | "bigint" | "smallint":
            return rng.choice([0, 1, 2, 10])
        case "jsonb" | "json":
            return rng.choice(["{}", f'{{"term": "{handles.names["term"]}"}}', "[]"])
        case "bit" | "bit varying":
            return "01" * (BITS // 2)
        case "bytea":
            return VAULT_KEY.encode()
        case "boolean":
            return rng.random() < 0.5
        case "regclass":
            return rng.choice(["mnemo.memory", "mnemo.memory_hot", "mnemo.access_log", "pg_catalog.pg_class"])
        case "double precision" | "real" | "numeric":
            return rng.choice([0.1, 0.5, 1])
        case "interval":
            return "1 hour"
        case "timestamp with time zone":
            return "2030-01-01 00:00:00+00"
        case "date":
            return "2030-01-01"
        case '"char"':
            return "g"
        case "jsonpath":
            return "$.term"
        case _:
            return None


def _text(name: str, handles: Handles, rng: random.Random) -> str:
    lowered = name.removeprefix("p_")
    if lowered in ("tenant", "tenants"):
        return handles.tenant
    if lowered in ("collection", "collections"):
        return "memories"
    if lowered in ("tier", "tiers"):
        return rng.choice(["hot", "warm", "cold"])
    if lowered in handles.names:
        return handles.names[lowered]
    if lowered in ("contexts", "sessions", "keys", "names"):
        return handles.names[lowered[:-1]]
    if lowered in ("words", "terms", "values"):
        return rng.choice(["tells", "number", handles.names["term"]])
    if lowered == "topic":
        return "memory.write"
    if lowered in ("query", "content", "text"):
        return f"it tells of number {handles.names['term']}"
    return rng.choice([handles.tenant, *handles.names.values()])

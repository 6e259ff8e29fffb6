"""A libpq connection string as arguments of asyncpg.connect, which reads only URIs, and not all options."""

from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from engine.errors import InvalidArgument

_SAME = {"user", "password", "passfile", "service", "target_session_attrs", "krbsrvname", "gsslib"}
_SERVER = {"application_name", "options"}
_TLS = {
    "sslmode",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
    "sslpassword",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
}
# They tune the connection, and nothing unsafe follows from doing without.
_LEFT_OUT = {
    "client_encoding",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "load_balance_hosts",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
}
_LEFT_OUT_UNLESS_REQUIRED = {"channel_binding", "gssencmode"}


def read_conninfo(dsn: str) -> dict[str, Any]:
    """Return the options of a connection string, URI or key=value pairs.

    Raises:
        InvalidArgument: it is not one; the message does not repeat it, for it may hold a password.
    """
    try:
        return {name: value for name, value in conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.Error:
        raise InvalidArgument(
            "the connection string is not valid:"
            " give a URI such as postgresql://user@host/name, or key=value pairs"
        ) from None


def asyncpg_arguments(dsn: str) -> dict[str, Any]:
    """Return the arguments of asyncpg.connect that reach the same database in the same way.

    What the string leaves open, asyncpg takes from the environment (PGHOST ...), as libpq does.

    Raises:
        InvalidArgument: the string is not valid, or asks for what asyncpg does not have.
    """
    options = read_conninfo(dsn)
    hosts = options.pop("hostaddr", None) or options.get("host")
    options.pop("host", None)
    arguments: dict[str, Any] = {}
    if hosts:
        arguments["host"] = hosts.split(",")
    if ports := str(options.pop("port", "")):
        numbers = [int(port or 5432) for port in ports.split(",")]
        arguments["port"] = numbers if len(numbers) > 1 else numbers[0]
    if "dbname" in options:
        arguments["database"] = options.pop("dbname")
    if timeout := int(options.pop("connect_timeout", 0)):
        arguments["timeout"] = float(timeout)
    server: dict[str, str] = {}
    if fallback := options.pop("fallback_application_name", None):
        server["application_name"] = fallback
    tls: dict[str, str] = {}
    for name, value in options.items():
        if name in _SAME:
            arguments[name] = value
        elif name in _SERVER:
            server[name] = value
        elif name in _TLS:
            tls[name] = value
        elif name not in _LEFT_OUT and not (name in _LEFT_OUT_UNLESS_REQUIRED and value != "require"):
            raise InvalidArgument(
                f"connection option {name} = {value}: asyncpg has no such option; leave it out or use psycopg"
            )
    if server:
        arguments["server_settings"] = server
    if tls:
        arguments["dsn"] = f"postgresql://?{urlencode(tls)}"
    return arguments

"""A client to be killed: runs one script on each of many connections, and waits for its end."""

import json
import signal
import sys

import psycopg


def main() -> None:
    """Send each script of standard input, a JSON array of [dsn, sql], without waiting for its answer."""
    opened = []
    for dsn, script in json.load(sys.stdin):
        connection = psycopg.connect(dsn)
        connection.pgconn.send_query(script.encode())
        opened.append(connection)
    signal.pause()


if __name__ == "__main__":
    main()

"""What must hold of every table with something of tenants in it, whenever it was made."""

from pathlib import Path

from tests.conftest import Connection

# Whose a row is says its memory. Tenants have no rights on them; mnemo_api looks up single ids.
BY_MEMORY = {"accessed", "pending_hypervector", "archived_access", "restore_request"}
_ROLES = "mnemo_engine, mnemo_owner, mnemo_worker"
_TENANT_ROWS = (
    "tenant_rows: mnemo_api, mnemo_app, mnemo_reader, mnemo_vault: all permissive"
    " (tenant = ( SELECT mnemo.tenant() AS tenant))"
)
_ENGINE_ROWS = f"engine_rows: {_ROLES}: all permissive true"
_ENGINE_AND_API_ROWS = f"engine_rows: mnemo_api, {_ROLES}: all permissive true"
_TEXT = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
# Each by the title before it.
QUERIES = {
    title: query.encode()
    for title, _, query in (section.partition("\n") for section in _TEXT.split("-- query: ")[1:])
}


def unsecured(connection: Connection) -> list[str]:
    """Tables, among them partitions, whose rows are not those of their tenant alone."""
    wrong = []
    for name, of_tenants, forced, owner, policies in connection.execute(QUERIES["tables"]):
        if of_tenants:
            expected = [_ENGINE_ROWS, _TENANT_ROWS]
        elif name in BY_MEMORY:
            expected = [_ENGINE_AND_API_ROWS]
        else:
            continue
        if not forced or policies != expected or owner != "mnemo_owner":
            wrong.append(f"{name}: {owner}, forced {forced}, {policies}")
    return wrong

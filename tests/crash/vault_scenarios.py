"""What reaches the injection points of vaults: SQL stands in for the client, who sealed and wrapped."""

from tests.crash.scenarios import Scenario

# Errors and statements are logged with their parameters unless a session says otherwise.
_SILENT = "select mnemo.require_unlogged();"
_KEY = "repeat('ab', 32)"
_ITEM = "'00000000-0000-7000-8000-00000000000{}'"


def _put(number: int, epoch: int) -> str:
    """Return what stores an item of two chunks."""
    item = _ITEM.format(number)
    return (
        f"{_SILENT} select mnemo.vault_put_chunk({item}, 0, 'first', {_KEY});"
        f" select mnemo.vault_put_chunk({item}, 1, 'last', {_KEY});"
        f" select mnemo.vault_finish({item}, 'item {number}', 'memory', '{{}}', 9, 5, null, null, {epoch},"
        f" 'wrapped {epoch}', 1::smallint, true);"
    )


def _epoch(number: int) -> str:
    return f"select mnemo.start_epoch({number}, 'file:///keys', 'check {number}')"


def _rewrap(new: int) -> str:
    wrapped = f"array_agg('wrapped {new}'::bytea)"
    moved = f"mnemo.rewrap_data_keys({new}, array_agg(d.id), array_agg(d.wrapped), {wrapped})"
    return "select {} from mnemo.due_data_keys(100) d".replace("{}", moved)


def _private(number: int) -> str:
    """Return what stores a memory whose content a client has sealed."""
    seal = _ITEM.format(4 + number)
    attributes = f"jsonb_build_object('$seal', {seal})"
    return (
        f"select mnemo.register_seals(1, array[{seal}::uuid], array['wrapped'::bytea]);"
        f" select mnemo.remember('mnemo-sealed:1:AAAA', hdv => mnemo.random_hypervector('{number}'),"
        f" key => 'new', attributes => {attributes});"
    )


_FILLED = (_epoch(1), _put(1, 1), _put(2, 1))
_ROTATED = (*_FILLED, _epoch(2), _rewrap(2))
_SHRED = "select mnemo.begin_shred(2, 'file:///keys', 'check 2', array['item 1'])"
_DESTROY = "select mnemo.begin_destroy()"
_DESTROYED = "select mnemo.finish_destroy(1, '2030-01-01')"

VAULT_SCENARIOS = {
    "put an item": Scenario(("vault.chunk_stored", "vault.finished"), _put(3, 1), _FILLED),
    "replace an item": Scenario(
        ("vault.chunk_stored", "vault.finished"), _put(4, 1).replace("'item 4'", "'item 1'"), _FILLED
    ),
    "drop an item": Scenario(("vault.dropped",), "select mnemo.vault_drop(array['item 1'])", _FILLED),
    "start an epoch": Scenario(("vault.epoch_started",), _epoch(2), _FILLED),
    "rewrap data keys": Scenario(("vault.rewrapped",), _rewrap(2), (*_FILLED, _epoch(2))),
    "shred an item": Scenario(("vault.shred_begun",), _SHRED, _FILLED),
    "shred a tenant": Scenario(("vault.tenant_shred_begun",), "select mnemo.begin_shred_tenant()", _FILLED),
    "mark keys to be destroyed": Scenario(("vault.destroying",), _DESTROY, (*_FILLED, _SHRED, _rewrap(2))),
    "mark keys as destroyed": Scenario(
        ("vault.destroyed",), _DESTROYED, (*_FILLED, _SHRED, _rewrap(2), _DESTROY)
    ),
    "write a private memory": Scenario(("seal.registered", "remember.written"), _private(1), _FILLED),
    "write a private memory again": Scenario(
        ("seal.registered", "remember.written"), _private(2), (*_FILLED, _private(1))
    ),
    "forget a private memory": Scenario(
        ("forget.deleted",),
        "select mnemo.forget((select m.id from mnemo.memory m where m.key = 'new'))",
        (*_FILLED, _private(1)),
    ),
    "shred a private memory": Scenario(
        ("forget.deleted", "vault.shred_begun"),
        "select mnemo.begin_shred(2, 'file:///keys', 'check 2', '{}',"
        " array(select m.id from mnemo.memory m where m.key = 'new'))",
        (*_FILLED, _private(1)),
    ),
    "destroy old keys": Scenario(("vault.destroying",), "select mnemo.begin_destroy('{1}')", _ROTATED),
}

"""No key appears in what is printed, logged or raised."""

import base64
import dataclasses
import pickle
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from adapters.crypto.environment_keys import EnvironmentKeys, variable_of
from adapters.crypto.file_keys import FileKeys
from adapters.crypto.layers import Layers
from engine.config import Settings
from engine.errors import KeyUnavailable, MnemoError
from engine.vault.protocol import Destruction, ItemHeader, KeyHeader

KEY = bytes(range(100, 132))
OTHER = bytes(range(200, 232))
TEXT = b"xylophone, 7 quivers"
HEADER, KEY_HEADER = ItemHeader(UUID(int=1), "a", "memory"), KeyHeader(UUID(int=1), "a", 1)

cipher = Layers()


def _traces(secret: bytes) -> list[str]:
    """A secret as text might show it; parts of it, too."""
    parts = [secret, secret[:8], secret[-8:]]
    encoded = base64.b64encode(secret).decode()
    shown = [form for part in parts for form in (part.hex(), repr(part)[2:-1], str(list(part))[1:-1])]
    return [*shown, encoded[:10], encoded[-10:].rstrip("="), secret.hex().upper()]


def _check(error: MnemoError) -> None:
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
    text += pickle.dumps(error.args).hex()
    for secret in (KEY, OTHER, TEXT):
        found = [trace for trace in _traces(secret) if trace in text]
        assert not found
        assert secret not in bytes.fromhex(pickle.dumps(error.args).hex())


@pytest.mark.parametrize(
    "call",
    [
        lambda: cipher.open(OTHER, HEADER, 0, True, cipher.seal(KEY, HEADER, 0, True, TEXT)),
        lambda: cipher.open(KEY, HEADER, 0, True, cipher.seal(KEY, HEADER, 0, True, TEXT)[:-1]),
        lambda: cipher.open(KEY, HEADER, 0, True, b""),
        lambda: cipher.open(KEY[:31], HEADER, 0, True, b""),
        lambda: cipher.seal(KEY + OTHER, HEADER, 0, True, TEXT),
        lambda: cipher.seal(KEY, HEADER, -1, True, TEXT),
        lambda: cipher.unwrap(OTHER, KEY_HEADER, cipher.wrap(KEY, KEY_HEADER, OTHER)),
        lambda: cipher.wrap(KEY, KEY_HEADER, OTHER[:31]),
        lambda: cipher.check_value(KEY[:31]),
        lambda: cipher.blind(KEY[:31], "field", TEXT.decode()),
        lambda: cipher.blind(KEY, "field", TEXT),
        lambda: cipher.blind(KEY, "field", [float("nan"), TEXT.decode()]),
        lambda: cipher.blind(KEY, "field", {TEXT: TEXT.decode()}),
    ],
)
def test_errors_of_the_cipher_show_no_secret(call: Callable[[], object]) -> None:
    with pytest.raises(MnemoError) as caught:
        call()
    _check(caught.value)


async def _failing(work: Awaitable[object]) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        await work
    _check(caught.value)


async def test_errors_of_key_stores_show_no_key(tmp_path: Path) -> None:
    name = variable_of("a", 1)
    for text in (base64.b64encode(KEY).decode()[:-4], KEY.hex(), base64.b64encode(KEY + OTHER).decode(), "ä"):
        store = EnvironmentKeys({name: text})
        await _failing(store.fetch("a", 1))
        await _failing(store.create("a", 1))
        await _failing(store.destroy("a", 1))
    files = FileKeys(tmp_path / "keys")
    await files.prepare()
    await files.create("a", 1)
    (path,) = (tmp_path / "keys").glob("*.key")
    path.write_bytes(KEY + OTHER)
    await _failing(files.fetch("a", 1))


def test_representations_show_no_key(tmp_path: Path) -> None:
    environ = {variable_of("a", 1): base64.b64encode(KEY).decode()}
    keys = [EnvironmentKeys(environ), FileKeys(tmp_path), cipher, HEADER, KEY_HEADER]
    text = "".join(map(repr, keys)) + repr(Destruction(True, datetime.now(UTC)))
    assert not [trace for trace in _traces(KEY) if trace in text]
    # None of the public dataclasses has a place for a key.
    fields = [
        field.type for kind in (ItemHeader, KeyHeader, Destruction) for field in dataclasses.fields(kind)
    ]
    assert bytes not in fields


def test_settings_do_not_show_where_keys_are() -> None:
    assert "7f3a" not in repr(Settings(vault={"keys": "file:///srv/7f3a"}))

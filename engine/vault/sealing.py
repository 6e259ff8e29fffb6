"""What of a memory is sealed, and how it looks then; pure computation. docs/vault.md tells what it hides.

A sealed content is ``mnemo-sealed:1:`` and base64, a sealed attribute ``{"sealed": base64, "blind": token}``;
the attribute ``$seal`` is the id of the data key that opens them all.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from engine.errors import InvalidArgument, SealBroken
from engine.memory import Collection, Memory
from engine.vault.protocol import Cipher, ItemHeader

SEAL: Final = "$seal"
CONTENT: Final = "$content"
PREFIX: Final = "mnemo-sealed:"
_SCHEME = PREFIX + "1:"


def is_private(memory: Memory, collection: Collection) -> bool:
    """Tell whether the content of a memory is to be sealed."""
    return memory.private or CONTENT in collection.sealed


def sealed_names(attributes: Mapping[str, Any], collection: Collection) -> list[str]:
    """Return which of a memory's attributes are to be sealed."""
    return [name for name in collection.sealed if name in attributes]


def check_unsealed(content: str, attributes: Mapping[str, Any], name: str) -> None:
    """Raise InvalidArgument for a memory that looks sealed before it is; nothing could tell them apart."""
    if content.startswith(PREFIX):
        raise InvalidArgument(f"content of {name} begins as sealed contents do, with {PREFIX!r}")
    for attribute, value in attributes.items():
        if attribute == SEAL or _is_sealed(value):
            raise InvalidArgument(f"attribute {attribute!r} of {name} looks like a sealed one")


class Sealer:
    """Seals the parts of one memory under a data key, and opens them; `seal` is the id of that key."""

    def __init__(self, cipher: Cipher, tenant: str, seal: UUID, data_key: bytes) -> None:
        self._cipher, self._tenant, self._seal, self._key = cipher, tenant, seal, data_key

    def seal_content(self, content: str) -> str:
        """Return a content sealed."""
        return _SCHEME + self._sealed("memory", content)

    def seal_attributes(
        self, attributes: Mapping[str, Any], names: Sequence[str], index_key: bytes | None
    ) -> dict[str, Any]:
        """Return attributes, those of `names` sealed; `index_key` makes the tokens that equality asks for."""
        sealed: dict[str, Any] = {**attributes, SEAL: str(self._seal)}
        for name in names:
            value = attributes[name]
            text = json.dumps(value, allow_nan=False, ensure_ascii=False)
            sealed[name] = {"sealed": self._sealed(f"attribute:{name}", text)}
            blind = None if index_key is None else tokens(self._cipher, index_key, name, value)
            if blind is not None:
                sealed[name]["blind"] = blind
        return sealed

    def open(self, content: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return content and attributes as they were; SealBroken unless all of them open."""
        opened = {
            name: json.loads(self._opened(f"attribute:{name}", value["sealed"]))
            if _is_sealed(value)
            else value
            for name, value in attributes.items()
            if name != SEAL
        }
        if content.startswith(PREFIX):
            if not content.startswith(_SCHEME):
                raise SealBroken
            content = self._opened("memory", content.removeprefix(_SCHEME))
        return content, opened

    def _sealed(self, kind: str, text: str) -> str:
        header = ItemHeader(self._seal, self._tenant, kind)
        return base64.b64encode(self._cipher.seal(self._key, header, 0, True, text.encode())).decode()

    def _opened(self, kind: str, text: str) -> str:
        header = ItemHeader(self._seal, self._tenant, kind)
        try:
            sealed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise SealBroken from None
        return self._cipher.open(self._key, header, 0, True, sealed).decode()


def closed(content: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what of a sealed memory can be shown without its key: no content, the attributes in clear."""
    shown = {name: value for name, value in attributes.items() if name != SEAL and not _is_sealed(value)}
    return "" if content.startswith(PREFIX) else content, shown


def tokens(cipher: Cipher, index_key: bytes, name: str, value: Any) -> str | list[str] | None:
    """Return what equality with a value is asked by: a token, of an array one for each of its scalars.

    None for an object, which no filter compares. Tokens of an array are sorted, and say nothing of its order.
    """
    if isinstance(value, Mapping):
        return None
    if isinstance(value, list | tuple):
        scalars = [one for one in value if not isinstance(one, Mapping | list | tuple)]
        return sorted({cipher.blind(index_key, name, one).hex() for one in scalars})
    return cipher.blind(index_key, name, value).hex()


def _is_sealed(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("sealed"), str)
        and value.keys() <= {"sealed", "blind"}
    )

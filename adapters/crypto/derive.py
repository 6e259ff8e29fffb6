"""Keys from keys (HKDF-SHA256, RFC 5869), and the one way in which fields become bytes."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import InvalidArgument
from engine.vault.protocol import KEY_BYTES


def derive(key: bytes, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """Return `length` bytes that tell nothing of the key, nor of what any other salt or info gives."""
    return HKDF(SHA256(), length, salt, info).derive(checked_key(key))


def checked_key(key: bytes) -> bytes:
    """Return the key; InvalidArgument unless it has 32 bytes."""
    if len(key) != KEY_BYTES:
        raise InvalidArgument(f"a key has {KEY_BYTES} bytes")
    return key


def framed(*fields: bytes | str) -> bytes:
    """Join fields, each behind its length (four bytes, big-endian); no other fields give the same bytes."""
    encoded = [field.encode() if isinstance(field, str) else field for field in fields]
    return b"".join(len(field).to_bytes(4, "big") + field for field in encoded)

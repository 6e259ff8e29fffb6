"""Scheme 1 written a second time, from its description and on another library (PyCryptodome)."""

import struct
from uuid import UUID

from Crypto.Cipher import AES, ChaCha20_Poly1305
from Crypto.Hash import HMAC, SHA256


def hkdf(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256, step by step."""
    extracted = HMAC.new(salt or bytes(32), key, SHA256).digest()
    made, block, counter = b"", b"", 1
    while len(made) < length:
        block = HMAC.new(extracted, block + info + bytes([counter]), SHA256).digest()
        made, counter = made + block, counter + 1
    return made[:length]


def frame(*fields: bytes) -> bytes:
    """Each field behind its length."""
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def layer_key(data_key: bytes, item: UUID, tenant: str, kind: str, name: str) -> bytes:
    """The key of one layer."""
    info = b"mnemo/vault/1/" + name.encode() + frame(tenant.encode(), kind.encode())
    return hkdf(data_key, item.bytes, info, 32)


def seal(
    data_key: bytes, item: UUID, tenant: str, kind: str, position: int, last: bool, text: bytes
) -> bytes:
    """A sealed chunk."""
    nonce = struct.pack(">3xQB", position, last)
    bound = b"\x01" + frame(b"item", item.bytes, tenant.encode(), kind.encode())
    bound += struct.pack(">QB", position, last)
    inner = AES.new(layer_key(data_key, item, tenant, kind, "aes-256-gcm"), AES.MODE_GCM, nonce=nonce)
    inner.update(bound)
    outer = ChaCha20_Poly1305.new(
        key=layer_key(data_key, item, tenant, kind, "chacha20-poly1305"), nonce=nonce
    )
    outer.update(bound)
    once = b"".join(inner.encrypt_and_digest(text))
    return b"\x01" + b"".join(outer.encrypt_and_digest(once))


def unwrap(epoch_key: bytes, item: UUID, tenant: str, epoch: int, wrapped: bytes) -> bytes:
    """The data key in a wrapped one."""
    number = struct.pack(">Q", epoch)
    key = hkdf(epoch_key, item.bytes, b"mnemo/vault/1/wrap" + frame(tenant.encode(), number), 32)
    cipher = AES.new(key, AES.MODE_GCM, nonce=wrapped[1:13])
    cipher.update(wrapped[:1] + frame(b"key", item.bytes, tenant.encode(), number))
    return cipher.decrypt_and_verify(wrapped[13:-16], wrapped[-16:])


def blind(index_key: bytes, field: str, canonical: bytes) -> bytes:
    """A blind index of a value that is canonical already."""
    message = frame(b"mnemo/vault/1/blind", field.encode(), canonical)
    return HMAC.new(index_key, message, SHA256).digest()[:16]

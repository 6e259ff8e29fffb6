"""Scheme 1: AES-256-GCM, ChaCha20-Poly1305 around it, and a key for pgcrypto around both.

With ``frame(f, ...)`` the fields, each behind its length in four bytes, and all numbers big-endian::

    layer key    HKDF-SHA256(data key, salt = item id, info = "mnemo/vault/1/" layer frame(tenant, kind))
                 layer: aes-256-gcm, chacha20-poly1305, pgcrypto
    nonce        position (11 bytes) last (1 byte: 0 or 1)
    bound        version (1 byte) frame("item", item id, tenant, kind) position (8 bytes) last (1 byte)
    sealed       version (1 byte) chacha20-poly1305(aes-256-gcm(plaintext)), each with its tag of 16 bytes

    wrap key     HKDF-SHA256(epoch key, salt = item id, info = "mnemo/vault/1/wrap" frame(tenant, epoch))
    wrapped      version (1 byte) nonce (12 random bytes) aes-256-gcm(data key)
                 bound: version (1 byte) frame("key", item id, tenant, epoch), the epoch in 8 bytes
    check value  HKDF-SHA256(epoch key, no salt, info = "mnemo/vault/1/check"), 16 bytes

Nonces with the position and the last flag are the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár:
Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015). No nonce meets its key twice: a
data key is random, made for one item and one content, each position of which is sealed once; item, tenant
and kind are in the derivation. Nothing here can see a caller that seals another content with an old data key.
A wrap key may see the same data key again, so its nonce is random; it is used a few times at most.
"""

import hashlib
import hmac
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from adapters.crypto.canonical import canonical
from adapters.crypto.derive import checked_key, derive, framed
from engine.errors import InvalidArgument, SealBroken
from engine.vault.protocol import (
    BLIND_BYTES,
    KEY_BYTES,
    LAST_POSITION,
    SCHEME,
    SEAL_BYTES,
    WRAPPED_BYTES,
    ItemHeader,
    KeyHeader,
)

_NONCE_BYTES = 12
_CHECK_BYTES = 16
_BLIND = b"mnemo/vault/1/blind"
_CHECK = b"mnemo/vault/1/check"


class Layers:
    """The `Cipher` of scheme 1; it holds nothing and is safe to share between threads."""

    def new_data_key(self) -> bytes:
        """Return 32 bytes of the system's random generator."""
        return os.urandom(KEY_BYTES)

    def seal(self, data_key: bytes, header: ItemHeader, position: int, last: bool, plaintext: bytes) -> bytes:
        """Seal a chunk, as Cipher says."""
        if header.version != SCHEME:
            raise InvalidArgument("this program seals by scheme 1 only")
        nonce, bound = _place(header, position, last)
        inner = AESGCM(_layer(data_key, header, b"aes-256-gcm")).encrypt(nonce, plaintext, bound)
        outer = ChaCha20Poly1305(_layer(data_key, header, b"chacha20-poly1305"))
        return bytes([SCHEME]) + outer.encrypt(nonce, inner, bound)

    def open(self, data_key: bytes, header: ItemHeader, position: int, last: bool, sealed: bytes) -> bytes:
        """Open a chunk, as Cipher says."""
        checked_key(data_key)
        nonce, bound = _place(header, position, last)
        if len(sealed) < SEAL_BYTES or sealed[0] != SCHEME or header.version != SCHEME:
            raise SealBroken
        outer = ChaCha20Poly1305(_layer(data_key, header, b"chacha20-poly1305"))
        try:
            inner = outer.decrypt(nonce, memoryview(sealed)[1:], bound)
            return AESGCM(_layer(data_key, header, b"aes-256-gcm")).decrypt(nonce, inner, bound)
        except InvalidTag:
            raise SealBroken from None

    def database_key(self, data_key: bytes, header: ItemHeader) -> str:
        """Return pgcrypto's passphrase, as Cipher says."""
        return _layer(data_key, header, b"pgcrypto").hex()

    def wrap(self, epoch_key: bytes, header: KeyHeader, data_key: bytes) -> bytes:
        """Wrap a data key, as Cipher says."""
        if header.version != SCHEME:
            raise InvalidArgument("this program wraps by scheme 1 only")
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = _wrapping(epoch_key, header).encrypt(nonce, checked_key(data_key), _key_bound(header))
        return bytes([SCHEME]) + nonce + wrapped

    def unwrap(self, epoch_key: bytes, header: KeyHeader, wrapped: bytes) -> bytes:
        """Unwrap a data key, as Cipher says."""
        wrapping = _wrapping(epoch_key, header)
        if len(wrapped) != WRAPPED_BYTES or wrapped[0] != SCHEME or header.version != SCHEME:
            raise SealBroken
        nonce, rest = wrapped[1 : 1 + _NONCE_BYTES], wrapped[1 + _NONCE_BYTES :]
        try:
            return wrapping.decrypt(nonce, rest, _key_bound(header))
        except InvalidTag:
            raise SealBroken from None

    def blind(self, index_key: bytes, field: str, value: Any) -> bytes:
        """HMAC-SHA256, cut to 16 bytes, over label, field and canonical value, each behind its length."""
        message = framed(_BLIND, field, canonical(value))
        return hmac.digest(checked_key(index_key), message, hashlib.sha256)[:BLIND_BYTES]

    def check_value(self, epoch_key: bytes) -> bytes:
        """Return what tells a wrong epoch key, as Cipher says."""
        return derive(epoch_key, b"", _CHECK, _CHECK_BYTES)


def _layer(data_key: bytes, header: ItemHeader, name: bytes) -> bytes:
    info = b"mnemo/vault/1/" + name + framed(header.tenant, header.kind)
    return derive(data_key, header.item.bytes, info)


def _place(header: ItemHeader, position: int, last: bool) -> tuple[bytes, bytes]:
    if not 0 <= position <= LAST_POSITION:
        raise InvalidArgument(f"a position is a number from 0 to {LAST_POSITION}")
    flag = bytes([last])
    bound = bytes([SCHEME]) + framed("item", header.item.bytes, header.tenant, header.kind)
    return position.to_bytes(11, "big") + flag, bound + position.to_bytes(8, "big") + flag


def _wrapping(epoch_key: bytes, header: KeyHeader) -> AESGCM:
    info = b"mnemo/vault/1/wrap" + framed(header.tenant, header.epoch.to_bytes(8, "big"))
    return AESGCM(derive(epoch_key, header.item.bytes, info))


def _key_bound(header: KeyHeader) -> bytes:
    epoch = header.epoch.to_bytes(8, "big")
    return bytes([SCHEME]) + framed("key", header.item.bytes, header.tenant, epoch)

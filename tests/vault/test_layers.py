"""The two client layers, wrapped keys and blind indexes: published answers, frozen ones, a second opinion."""

from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.crypto.layers import Layers
from engine.errors import InvalidArgument, SealBroken
from engine.vault.protocol import (
    LAST_POSITION,
    SEAL_BYTES,
    WRAPPED_BYTES,
    Cipher,
    ItemHeader,
    KeyHeader,
)
from engine.vault.registry import make_cipher
from tests.vault import second_opinion

ITEM = UUID("0190a5b2-7c3d-7e4f-8a9b-0c1d2e3f4a5b")
HEADER = ItemHeader(ITEM, "ada & söhne", "memory")
KEY_HEADER = KeyHeader(ITEM, "ada & söhne", 7)
DATA_KEY = bytes(range(32))
EPOCH_KEY = bytes(range(128, 160))
TEXT = b"Private: the key is under the third flowerpot."

cipher: Cipher = Layers()


def h(text: str) -> bytes:
    """Bytes from hexadecimal digits."""
    return bytes.fromhex(text)


# RFC 5869, appendices A.1, A.2 (three blocks) and A.3 (no salt, no info).
@pytest.mark.parametrize(
    ("key", "salt", "info", "made"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_gives_the_published_keys(key: bytes, salt: bytes, info: bytes, made: str) -> None:
    expected = h(made)
    assert HKDF(SHA256(), len(expected), salt, info).derive(key) == expected
    assert second_opinion.hkdf(key, salt, info, len(expected)) == expected


# The GCM specification (McGrew, Viega), appendix B, test cases 13, 14 and 16: AES-256, nonces of 96 bits.
@pytest.mark.parametrize(
    ("key", "nonce", "text", "bound", "sealed"),
    [
        ("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            "00" * 32,
            "00" * 12,
            "00" * 16,
            "",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        ),
        (
            "feffe9928665731c6d6a8f9467308308" * 2,
            "cafebabefacedbaddecaf888",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ],
)
def test_aes_256_gcm_gives_the_published_answers(
    key: str, nonce: str, text: str, bound: str, sealed: str
) -> None:
    layer = AESGCM(h(key))
    assert layer.encrypt(h(nonce), h(text), h(bound)) == h(sealed)
    assert layer.decrypt(h(nonce), h(sealed), h(bound)) == h(text)


# RFC 8439, section 2.8.2.
def test_chacha20_poly1305_gives_the_published_answer() -> None:
    layer = ChaCha20Poly1305(bytes(range(0x80, 0xA0)))
    nonce, bound = h("070000004041424344454647"), h("50515253c0c1c2c3c4c5c6c7")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = h(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
        "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
    )
    assert layer.encrypt(nonce, text, bound) == sealed
    assert layer.decrypt(nonce, sealed, bound) == text


# What scheme 1 gave on the day it was made: data sealed then must open for ever.
SEALED_THEN = (
    "0135d5c405e8b9e6b0a10a6aa960ed49737569e5808671bf4f64cca90582834a71a8369341770ada28c68d00a3cece15"
    "dfd1c573ba11513702e107b2cbe19f1e4f9b980dc01879ecc82cc307e65c64"
)
WRAPPED_THEN = (
    "01c8c9cacbcccdcecfd0d1d2d393091b7fa2a354ac58a130165f8f2628bba753e82769a22e0c84320a79fd690c59def3"
    "541ee206e310e57faf513676ba"
)
DATABASE_KEY_THEN = "35feca220341a43df65dd8c7cc044e8ee420e3122aa388a8751b3b15d39095be"
CHECK_THEN = "fb241b5da0557f2fc6dead394d52f120"
BLIND_THEN = "74d4400b6d1a60b10a01ad554456c6a0"


def test_what_was_sealed_once_opens_for_ever() -> None:
    assert cipher.seal(DATA_KEY, HEADER, 3, True, TEXT) == h(SEALED_THEN)
    assert cipher.open(DATA_KEY, HEADER, 3, True, h(SEALED_THEN)) == TEXT
    assert cipher.unwrap(EPOCH_KEY, KEY_HEADER, h(WRAPPED_THEN)) == DATA_KEY
    assert cipher.database_key(DATA_KEY, HEADER) == DATABASE_KEY_THEN
    assert cipher.check_value(EPOCH_KEY) == h(CHECK_THEN)
    assert cipher.blind(DATA_KEY, "city", ["Köln", {"b": 1.50, "a": None}]) == h(BLIND_THEN)


def test_a_second_implementation_gives_the_same() -> None:
    args = (ITEM, HEADER.tenant, HEADER.kind)
    assert second_opinion.seal(DATA_KEY, *args, 3, True, TEXT) == h(SEALED_THEN)
    assert second_opinion.unwrap(EPOCH_KEY, ITEM, HEADER.tenant, 7, h(WRAPPED_THEN)) == DATA_KEY
    assert second_opinion.layer_key(DATA_KEY, *args, "pgcrypto").hex() == DATABASE_KEY_THEN
    assert second_opinion.hkdf(EPOCH_KEY, b"", b"mnemo/vault/1/check", 16) == h(CHECK_THEN)
    canonical = b"a" + second_opinion.frame(
        "sKöln".encode(), b"o" + second_opinion.frame(b"a", b"z", b"b", b"n+15e-1")
    )
    assert second_opinion.blind(DATA_KEY, "city", canonical) == h(BLIND_THEN)


def test_a_second_implementation_agrees_on_random_items() -> None:
    random = Random(7)
    for _ in range(300):
        data_key, epoch_key = random.randbytes(32), random.randbytes(32)
        item = UUID(bytes=random.randbytes(16))
        tenant = "".join(random.choices("aé/漢\U0001f511 ", k=random.randint(1, 20)))
        kind = random.choice(["memory", "conversation", "codebase"])
        position, last = random.choice([0, 1, 77, 2**20, LAST_POSITION]), random.random() < 0.5
        text, epoch = random.randbytes(random.randint(0, 300)), random.randint(1, 2**31 - 1)

        sealed = cipher.seal(data_key, ItemHeader(item, tenant, kind), position, last, text)
        assert sealed == second_opinion.seal(data_key, item, tenant, kind, position, last, text)
        assert len(sealed) == len(text) + SEAL_BYTES
        assert cipher.open(data_key, ItemHeader(item, tenant, kind), position, last, sealed) == text

        wrapped = cipher.wrap(epoch_key, KeyHeader(item, tenant, epoch), data_key)
        assert len(wrapped) == WRAPPED_BYTES
        assert second_opinion.unwrap(epoch_key, item, tenant, epoch, wrapped) == data_key


def test_a_large_chunk() -> None:
    text = Random(1).randbytes(3_000_000)
    sealed = cipher.seal(DATA_KEY, HEADER, 0, False, text)
    assert cipher.open(DATA_KEY, HEADER, 0, False, sealed) == text


def test_all_derived_keys_are_independent() -> None:
    others = [
        HEADER,
        replace(HEADER, item=UUID(int=1)),
        replace(HEADER, tenant="ada"),
        replace(HEADER, kind="memory.attributes"),
        # The same letters, cut elsewhere.
        ItemHeader(ITEM, "ada & söhnem", "emory"),
    ]
    names = ["aes-256-gcm", "chacha20-poly1305", "pgcrypto"]
    keys = {
        second_opinion.layer_key(DATA_KEY, other.item, other.tenant, other.kind, name)
        for other in others
        for name in names
    }
    assert len(keys) == len(others) * len(names)
    # Equal contents of one item under two kinds: nothing alike in what is stored.
    one, two = (cipher.seal(DATA_KEY, other, 0, True, bytes(64)) for other in (others[0], others[3]))
    assert all(one[i : i + 8] != two[i : i + 8] for i in range(1, len(one) - 8))


def test_keys_are_new_each_time() -> None:
    assert len({cipher.new_data_key() for _ in range(100)}) == 100
    assert len({cipher.wrap(EPOCH_KEY, KEY_HEADER, DATA_KEY) for _ in range(100)}) == 100
    assert len(cipher.new_data_key()) == 32


def test_a_check_value_tells_a_wrong_key() -> None:
    flipped = {bytes([*EPOCH_KEY[:i], EPOCH_KEY[i] ^ 1, *EPOCH_KEY[i + 1 :]]) for i in range(32)}
    values = {cipher.check_value(key) for key in flipped | {EPOCH_KEY}}
    assert len(values) == 33
    assert not any(part in EPOCH_KEY for value in values for part in (value[:4], value[4:8]))


def test_an_older_or_newer_scheme_is_not_guessed_at() -> None:
    sealed = cipher.seal(DATA_KEY, HEADER, 0, True, TEXT)
    wrapped = cipher.wrap(EPOCH_KEY, KEY_HEADER, DATA_KEY)
    for version in range(2, 256):
        with pytest.raises(SealBroken):
            cipher.open(DATA_KEY, replace(HEADER, version=version), 0, True, bytes([version]) + sealed[1:])
        with pytest.raises(SealBroken):
            cipher.unwrap(EPOCH_KEY, replace(KEY_HEADER, version=version), bytes([version]) + wrapped[1:])
    with pytest.raises(InvalidArgument, match="scheme 1 only"):
        cipher.seal(DATA_KEY, replace(HEADER, version=2), 0, True, TEXT)
    with pytest.raises(InvalidArgument, match="scheme 1 only"):
        cipher.wrap(EPOCH_KEY, replace(KEY_HEADER, version=2), DATA_KEY)


@pytest.mark.parametrize("bad", [b"", bytes(16), bytes(31), bytes(33)])
def test_keys_of_another_length_are_refused(bad: bytes) -> None:
    sealed = cipher.seal(DATA_KEY, HEADER, 0, True, TEXT)
    for call in (
        lambda: cipher.seal(bad, HEADER, 0, True, TEXT),
        lambda: cipher.open(bad, HEADER, 0, True, sealed),
        lambda: cipher.wrap(bad, KEY_HEADER, DATA_KEY),
        lambda: cipher.wrap(EPOCH_KEY, KEY_HEADER, bad),
        lambda: cipher.unwrap(bad, KEY_HEADER, bytes(WRAPPED_BYTES)),
        lambda: cipher.blind(bad, "city", 1),
        lambda: cipher.check_value(bad),
        lambda: cipher.database_key(bad, HEADER),
    ):
        with pytest.raises(InvalidArgument, match="a key has 32 bytes"):
            call()


@pytest.mark.parametrize("position", [-1, LAST_POSITION + 1])
def test_positions_outside_the_counter_are_refused(position: int) -> None:
    with pytest.raises(InvalidArgument, match="a position is"):
        cipher.seal(DATA_KEY, HEADER, position, True, TEXT)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ItemHeader(ITEM, "", "memory"),
        lambda: ItemHeader(ITEM, "ada", ""),
        lambda: ItemHeader(ITEM, "a\x00b", "memory"),
        lambda: ItemHeader(ITEM, "a\ud800", "memory"),
        lambda: ItemHeader(ITEM, "ada", "memory", 0),
        lambda: ItemHeader(ITEM, "ada", "memory", 256),
        lambda: KeyHeader(ITEM, "", 1),
        lambda: KeyHeader(ITEM, "ada", 0),
        lambda: KeyHeader(ITEM, "ada", 2**31),
        lambda: KeyHeader(ITEM, "ada", 1, 0),
    ],
)
def test_headers_that_cannot_be(make: Any) -> None:
    with pytest.raises(InvalidArgument):
        make()


def test_the_composition_root_makes_this_cipher() -> None:
    assert isinstance(make_cipher(), Layers)

"""Damage of every sort: nothing opens that is not exactly what was sealed, in its place, under its key."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

import pytest

from adapters.crypto.layers import Layers
from engine.errors import SealBroken
from engine.vault.protocol import Cipher, ItemHeader, KeyHeader

TRIALS = 30_000
MESSAGE = SealBroken.__doc__

cipher: Cipher = Layers()


@dataclass(frozen=True)
class Sealed:
    """A chunk with all that is needed to open it."""

    data_key: bytes
    header: ItemHeader
    position: int
    last: bool
    text: bytes
    sealed: bytes

    def open(self) -> bytes:
        """Open it."""
        return cipher.open(self.data_key, self.header, self.position, self.last, self.sealed)


@dataclass(frozen=True)
class Wrapped:
    """A wrapped key with all that is needed to unwrap it."""

    epoch_key: bytes
    header: KeyHeader
    data_key: bytes
    wrapped: bytes

    def open(self) -> bytes:
        """Unwrap it."""
        return cipher.unwrap(self.epoch_key, self.header, self.wrapped)


def _sealed_items(random: Random) -> list[list[Sealed]]:
    """Items of several chunks; some share a tenant, a kind, their id or their data key."""
    items: list[list[Sealed]] = []
    ids = [UUID(bytes=random.randbytes(16)) for _ in range(6)]
    for number in range(8):
        header = ItemHeader(ids[number % 6], f"tenant {number % 3}", ["memory", "codebase"][number // 4])
        data_key = items[0][0].data_key if number == 1 else random.randbytes(32)
        # Equal lengths within an item, so that a swap is no mere change of length.
        size, count = random.choice([0, 1, 31, 500]), random.randint(2, 5)
        texts = [random.randbytes(size) for _ in range(count)]
        items.append(
            [
                Sealed(
                    data_key,
                    header,
                    position,
                    position == count - 1,
                    text,
                    cipher.seal(data_key, header, position, position == count - 1, text),
                )
                for position, text in enumerate(texts)
            ]
        )
    return items


def _damaged_bytes(random: Random, data: bytes) -> tuple[str, bytes]:
    match random.randrange(7):
        case 0:
            flipped = bytearray(data)
            flipped[random.randrange(len(data))] ^= 1 << random.randrange(8)
            return "one bit flipped", bytes(flipped)
        case 1:
            flipped = bytearray(data)
            for _ in range(random.randint(2, 20)):
                flipped[random.randrange(len(data))] = random.randrange(256)
            return "bytes replaced", bytes(flipped)
        case 2:
            return "truncated", data[: random.randrange(len(data))]
        case 3:
            return "head cut off", data[random.randint(1, len(data)) :]
        case 4:
            return "extended", data + random.randbytes(random.randint(1, 40))
        case 5:
            at, count = random.randrange(len(data)), random.randint(1, 16)
            return "bytes inserted", data[:at] + random.randbytes(count) + data[at:]
        case _:
            return "made up", random.randbytes(random.choice([0, 1, 32, 33, 34, 60, 61, 62, len(data)]))


def _damaged_chunk(random: Random, items: list[list[Sealed]]) -> tuple[str, Sealed]:
    item = random.choice(items)
    chunk = random.choice(item)
    other = random.choice(random.choice(items))
    match random.randrange(9):
        case 0:
            name, place = (
                "another position",
                replace(chunk, position=random.choice([0, 1, 2, 3, 9, 2**31 - 1])),
            )
        case 1:
            name, place = "last flag turned", replace(chunk, last=not chunk.last)
        case 2:
            name, place = "reordered", replace(chunk, sealed=random.choice(item).sealed)
        case 3:
            name, place = "swapped between items", replace(chunk, sealed=other.sealed)
        case 4:
            tenant = replace(chunk.header, tenant=f"tenant {random.randrange(4)}")
            name, place = "another tenant", replace(chunk, header=tenant)
        case 5:
            kind = replace(chunk.header, kind=random.choice(["memory", "codebase", "conversation"]))
            name, place = "another kind", replace(chunk, header=kind)
        case 6:
            number = replace(chunk.header, item=other.header.item)
            name, place = "another item's id", replace(chunk, header=number)
        case 7:
            key = bytearray(chunk.data_key)
            key[random.randrange(32)] ^= 1 << random.randrange(8)
            name, place = "another data key", replace(chunk, data_key=bytes(key))
        case _:
            name, data = _damaged_bytes(random, chunk.sealed)
            return name, replace(chunk, sealed=data)
    return name, place


def _damaged_key(random: Random, keys: list[Wrapped]) -> tuple[str, Wrapped]:
    key, other = random.choice(keys), random.choice(keys)
    match random.randrange(7):
        case 0:
            return "another epoch's key", replace(key, epoch_key=other.epoch_key)
        case 1:
            return "swapped between items", replace(key, wrapped=other.wrapped)
        case 2:
            return "another item's id", replace(key, header=replace(key.header, item=other.header.item))
        case 3:
            return "another tenant", replace(key, header=replace(key.header, tenant=other.header.tenant))
        case 4:
            return "another epoch", replace(key, header=replace(key.header, epoch=random.randint(1, 4)))
        case _:
            name, data = _damaged_bytes(random, key.wrapped)
            return name, replace(key, wrapped=data)


def _refused(call: Callable[[], bytes], name: str) -> None:
    with pytest.raises(SealBroken) as caught:
        pytest.fail(f"it opened: {name}: {call()!r}")
    assert caught.value.args == (MESSAGE,), name
    assert caught.value.__cause__ is None, name
    assert caught.value.__context__ is None or caught.value.__suppress_context__, name


def test_no_damaged_chunk_opens() -> None:
    random = Random(20_07)
    items = _sealed_items(random)
    known = {chunk: chunk.text for item in items for chunk in item}
    done: Counter[str] = Counter()
    while done.total() < TRIALS:
        name, damaged = _damaged_chunk(random, items)
        if damaged in known or _is_untouched(damaged, known):
            continue
        done[name] += 1
        _refused(damaged.open, name)
    assert len(done) == 15
    assert min(done.values()) > 300
    # The damage was to copies: all of them still open.
    assert all(chunk.open() == text for chunk, text in known.items())


def _is_untouched(damaged: Sealed, known: dict[Sealed, bytes]) -> bool:
    """Whether all that decides is that of a chunk that was sealed; the text is what comes out, not in."""
    return any(replace(damaged, text=chunk.text) == chunk for chunk in known)


def test_no_damaged_key_is_unwrapped() -> None:
    random = Random(20_08)
    epoch_keys = {
        ("a", 1): random.randbytes(32),
        ("a", 2): random.randbytes(32),
        ("b", 1): random.randbytes(32),
    }
    keys = []
    for (tenant, epoch), epoch_key in epoch_keys.items():
        for _ in range(4):
            header = KeyHeader(UUID(bytes=random.randbytes(16)), tenant, epoch)
            data_key = random.randbytes(32)
            keys.append(Wrapped(epoch_key, header, data_key, cipher.wrap(epoch_key, header, data_key)))
    done: Counter[str] = Counter()
    while done.total() < TRIALS:
        name, damaged = _damaged_key(random, keys)
        if any(replace(damaged, data_key=key.data_key) == key for key in keys):
            continue
        done[name] += 1
        _refused(damaged.open, name)
    assert len(done) == 12
    assert min(done.values()) > 300
    assert all(key.open() == key.data_key for key in keys)


def test_every_single_bit_counts() -> None:
    random = Random(5)
    key, epoch_key = random.randbytes(32), random.randbytes(32)
    header, key_header = ItemHeader(UUID(int=1), "a", "memory"), KeyHeader(UUID(int=1), "a", 1)
    chunk = Sealed(key, header, 0, True, b"twelve bytes", cipher.seal(key, header, 0, True, b"twelve bytes"))
    wrapped = Wrapped(epoch_key, key_header, key, cipher.wrap(epoch_key, key_header, key))
    for bit in range(8 * len(chunk.sealed)):
        _refused(replace(chunk, sealed=_flipped(chunk.sealed, bit)).open, f"bit {bit}")
    for bit in range(8 * len(wrapped.wrapped)):
        _refused(replace(wrapped, wrapped=_flipped(wrapped.wrapped, bit)).open, f"bit {bit}")


def _flipped(data: bytes, bit: int) -> bytes:
    return bytes([*data[: bit // 8], data[bit // 8] ^ (1 << bit % 8), *data[bit // 8 + 1 :]])


def test_an_item_without_its_end_does_not_look_whole() -> None:
    """Who reads says of each chunk whether it is the last one; a shorter item then fails at its new end."""
    key, header = bytes(32), ItemHeader(UUID(int=1), "a", "memory")
    chunks = [cipher.seal(key, header, position, position == 3, b"part") for position in range(4)]
    for count in range(1, 4):
        kept = chunks[:count]
        assert all(cipher.open(key, header, at, False, part) == b"part" for at, part in enumerate(kept[:-1]))
        with pytest.raises(SealBroken):
            cipher.open(key, header, count - 1, True, kept[-1])

"""What every encoder is to the rest of the engine."""

from typing import Protocol, TypeVar, runtime_checkable

from engine.hypervector import Hypervectors

Batch_contra = TypeVar("Batch_contra", contravariant=True)


@runtime_checkable
class Encoder(Protocol[Batch_contra]):
    """Turns a batch of things, one memory each, into hypervectors.

    The same name, version and bits always give the same hypervector for the same input, on every machine.
    """

    @property
    def name(self) -> str:
        """The encoder's name in the registry and in `mnemo.collection`."""

    @property
    def version(self) -> int:
        """Grows whenever the hypervectors of the same input change."""

    @property
    def bits(self) -> int:
        """D, the components of the hypervectors it makes."""

    @property
    def dimension(self) -> int | None:
        """The length of the embeddings behind the hypervectors; None where there are none."""

    def encode(self, batch: Batch_contra, /) -> Hypervectors:
        """Return `uint8[n, D / 8]`, row i for the i-th thing; raise a MnemoError that names a bad row."""

"""Key stores by the scheme of their URL, and the cipher."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module

from engine.config import Settings
from engine.errors import InvalidArgument, InvalidConfiguration
from engine.vault.protocol import Cipher, KeyStore

# Opens the store of a URL for the time of a context.
KeysFactory = Callable[[str, Settings], AbstractAsyncContextManager[KeyStore]]

_stores: dict[str, KeysFactory] = {}
_ciphers: list[Callable[[], Cipher]] = []


def register_keys(scheme: str, factory: KeysFactory) -> None:
    """Make a kind of key store available under the scheme of its URLs; one taken by another is refused."""
    if _stores.setdefault(scheme, factory) is not factory:
        raise InvalidArgument(f"a key store of the scheme {scheme!r} is registered already")


def register_cipher(factory: Callable[[], Cipher]) -> None:
    """Say what makes the cipher; the first is used, another is refused."""
    if not _ciphers:
        _ciphers.append(factory)
    elif _ciphers[0] is not factory:
        raise InvalidArgument("a cipher is registered already")


def open_keys(settings: Settings) -> AbstractAsyncContextManager[KeyStore]:
    """Open the key store of ``vault.keys``.

    Raises InvalidConfiguration where none is set, or of a scheme that nothing is registered for.
    """
    url = settings.vault.keys
    if url is None:
        raise InvalidConfiguration(
            [
                "vault.keys: must be set: a vault needs a place for its keys that is not in the database, "
                "such as file:///path, env: or kms://region (MNEMO_VAULT__KEYS)"
            ]
        )
    scheme = url.partition(":")[0]
    _load_adapters()
    if scheme not in _stores:
        known = ", ".join(f"{name}:" for name in sorted(_stores))
        raise InvalidConfiguration([f"vault.keys: must begin with one of {known}"])
    return _stores[scheme](url, settings)


def make_cipher() -> Cipher:
    """Return the cipher, which holds no state and serves everybody."""
    _load_adapters()
    return _ciphers[0]()


def _load_adapters() -> None:
    # Where the adapters are registered; imported late, because it imports what imports this.
    import_module("engine.composition")

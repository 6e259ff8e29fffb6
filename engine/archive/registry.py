"""Object stores by the scheme of their URL."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path

from engine.archive.objects import ObjectStore
from engine.config import Settings
from engine.embedded import default_data_dir
from engine.errors import InvalidArgument, InvalidConfiguration

# Opens the store of a URL for the time of a context, with the timeouts, retries and so on of the settings.
ObjectsFactory = Callable[[str, Settings], AbstractAsyncContextManager[ObjectStore]]

_factories: dict[str, ObjectsFactory] = {}


def register_objects(scheme: str, factory: ObjectsFactory) -> None:
    """Make a kind of store available under the scheme of its URLs; one taken by another is refused."""
    if _factories.setdefault(scheme, factory) is not factory:
        raise InvalidArgument(f"an object store of the scheme {scheme!r} is registered already")


def objects_url(settings: Settings) -> str | None:
    """Where the archive is: ``archive.url``, else beside the embedded server; None: there is no archive."""
    url = settings.archive.url
    if url is None and settings.dsn is None:
        url = str((settings.data_dir or default_data_dir()) / "objects")
    return url if url is None or "://" in url else Path(url).expanduser().absolute().as_uri()


def open_objects(settings: Settings) -> AbstractAsyncContextManager[ObjectStore]:
    """Open the configured object store.

    Raises InvalidConfiguration where there is none, or of a scheme that nothing is registered for.
    """
    url = objects_url(settings)
    if url is None:
        raise InvalidConfiguration(
            [
                "archive.url: must be set where dsn is: the archive needs an object store, such as "
                "s3://bucket/prefix or a directory (MNEMO_ARCHIVE__URL)"
            ]
        )
    scheme = url.partition("://")[0]
    # Where the adapters are registered; imported late, because it imports what imports this.
    import_module("engine.composition")
    if scheme not in _factories:
        known = ", ".join(f"{name}://" for name in sorted(_factories))
        raise InvalidConfiguration([f"archive.url = {url}: must begin with one of {known}, or be a path"])
    return _factories[scheme](url, settings)

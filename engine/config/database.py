"""The settings that the database holds a copy of, because its functions need them where no process runs."""

from engine.config.settings import Settings


def database_settings(settings: Settings) -> dict[str, float]:
    """Rows of the table mnemo.setting that this configuration asks for: name and value.

    Only what was given, by whatever layer: a default of Python never overwrites a value set in the database.
    ``install`` is not among them, since it is fixed by the first migration.
    """
    given = settings.model_dump(exclude_unset=True)
    values: dict[str, float] = dict(given.get("lifecycle", {}))
    if "content_max_bytes" in given.get("ingest", {}):
        values["content_max_bytes"] = settings.ingest.content_max_bytes
    return values

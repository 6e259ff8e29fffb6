"""The settings that the database holds a copy of, because its functions need them where no process runs."""

from engine.config.settings import Settings

# What mnemo.configure takes. The importance of a new memory is an argument of each write instead.
_HELD = {
    "lifecycle": ("hot_threshold", "warm_threshold", "half_life_days", "potentiation"),
    "ingest": ("content_max_bytes",),
}


def database_settings(settings: Settings) -> dict[str, float]:
    """What this configuration asks of the database: the argument of mnemo.configure, by name.

    Only what was given, by whatever layer: a default of Python never overwrites a value set in the database.
    ``install`` is not among them, since it is fixed by the first migration.
    """
    given = settings.model_dump(exclude_unset=True)
    return {
        name: values[name]
        for group, names in _HELD.items()
        for values in (given.get(group, {}),)
        for name in names
        if name in values
    }

"""The options of every command, given before or after its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast, get_args

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from engine.config import Settings

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Given:
    """What the options of `connection_options` were set to on this command line."""

    settings: dict[str, Any] = field(default_factory=dict)
    debug: bool = False


def connection_options(function: F) -> F:
    """Add --dsn, --data-dir, --config, --tenant, --preset and --debug; `with_settings` reads them."""
    from engine.config.presets import Preset

    options = [
        _option("--dsn", metavar="DSN", help="Database to use instead of the embedded server."),
        _option("--data-dir", metavar="DIR", help="Directory of the embedded server."),
        _option("--config", metavar="FILE", help="YAML file of settings."),
        _option("--tenant", metavar="NAME", help="Whose memories are read and written."),
        _option("--preset", type=click.Choice(get_args(Preset)), help="A set of defaults."),
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=_note_debug,
            envvar="MNEMO_DEBUG",
            show_envvar=True,
            help="Show where an error came from.",
        ),
    ]
    for add in reversed(options):
        function = add(function)
    return function


def with_settings(function: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """Add the options of `connection_options` to a command and pass it the settings they lead to, first."""

    @connection_options
    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(_settings(click.get_current_context()), *args, **kwargs)

    return cast(Callable[P, R], called)


def _option(name: str, **details: Any) -> Callable[[F], F]:
    variable = "MNEMO_" + name.removeprefix("--").replace("-", "_").upper()
    return click.option(
        name, envvar=variable, show_envvar=True, expose_value=False, callback=_note_given, **details
    )


def _note_given(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # Variables are left to Settings, which names them in its errors.
    assert parameter.name is not None
    if context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE:
        context.ensure_object(Given).settings[parameter.name] = value


def _note_debug(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.ensure_object(Given).debug |= value


def _settings(context: click.Context) -> Settings:
    from engine.config import Settings
    from engine.logs import configure_logging

    given = context.ensure_object(Given).settings
    if "dsn" in given and "data_dir" in given:
        raise click.UsageError("--dsn names a database, --data-dir an embedded server: give one of them")
    settings = Settings(**given)
    if "data_dir" in given:
        settings = settings.model_copy(update={"dsn": None})
    configure_logging(settings.logging)
    return settings

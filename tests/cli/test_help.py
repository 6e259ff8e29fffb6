"""docs/cli.md holds every help page; every option has a variable of its own."""

from collections.abc import Callable, Iterator

import click

from engine.cli.group import ENVIRONMENT_PREFIX, SUMMARIES, group
from engine.config import Settings
from engine.config.sources import variable

WIDTH = 90
INTRODUCTION = """\
# The command line

`mnemo COMMAND --help` shows these pages. The options for the connection may stand before or after the
command's name. A flag on the command line overrides its variable, a variable overrides `mnemo.yaml`
(docs/configuration.md).

Exit codes: 0 done, 1 failed with a message, 2 wrong usage, 3 `mnemo status` found no server running,
130 interrupted. Completion for bash: `eval "$(_MNEMO_COMPLETE=bash_source mnemo)"`, likewise zsh and fish.
"""


def _contexts(inner: bool = True) -> Iterator[click.Context]:
    settings = {**group.context_settings, "terminal_width": WIDTH}
    top = click.Context(group, info_name="mnemo", **settings)
    yield top
    for context in _inside(top):
        yield context
        if inner:
            yield from _inside(context)


def _inside(context: click.Context) -> Iterator[click.Context]:
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield click.Context(command, info_name=name, parent=context, terminal_width=WIDTH)


def test_documentation_holds_every_help_page(golden: Callable[[str, str], None]) -> None:
    pages = [f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n" for context in _contexts()]
    golden("../../docs/cli.md", "\n".join([INTRODUCTION, *pages]))


def test_summaries_are_those_of_the_commands() -> None:
    _, *commands = _contexts(inner=False)
    shown = {context.info_name: context.command.get_short_help_str(200) for context in commands}
    assert list(shown) == list(SUMMARIES)
    assert [name for name, text in SUMMARIES.items() if not str(shown[name]).startswith(text[:-1])] == []


def test_every_option_shows_a_variable_that_is_no_group_of_settings() -> None:
    groups = {variable(name) for name in Settings.model_fields}
    connection = {variable(name) for name in ("dsn", "data_dir", "config", "tenant", "preset")}
    seen: dict[str, str] = {}
    for context in _contexts():
        for option in context.command.get_params(context):
            if not isinstance(option, click.Option) or {"--help", "--version"} & set(option.opts):
                continue
            assert option.show_envvar, (context.command_path, option.opts)
            name = option.envvar or f"{context.auto_envvar_prefix}_{option.name}".upper()
            assert isinstance(name, str)
            assert name.startswith(ENVIRONMENT_PREFIX)
            assert name.endswith(option.opts[-1].strip("-").replace("-", "_").upper()), name
            if name in connection | {"MNEMO_DEBUG"}:
                continue
            assert name not in groups
            assert seen.setdefault(name, context.command_path) == context.command_path

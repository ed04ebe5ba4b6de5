"""The group of verbs, and what is the same for all: one line for an error, and the exit codes.

0 done, 1 failed, 2 usage, 3 done but something was lost (said on stderr), 130 ended by Ctrl-C. Data goes to
stdout, words to stderr.
"""

import errno
from importlib import import_module
from typing import Any

import click

from tokentape.cassette import CassetteError
from tokentape.cli._ending import interruptible, unwinding
from tokentape.cli._streams import drop_output, guard

VERBS = (
    "record",
    "replay",
    "analyze",
    "compare",
    "fidelity",
    "report",
    "info",
    "verify",
    "lint",
    "recover",
    "merge",
    "split",
    "cat",
    "diff",
    "watch",
    "convert",
    "redact",
    "demo",
)


class _Verbs(click.Group):
    """Finds the verb `x` as `command` in the module `tokentape.cli.x`, and imports no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"tokentape.cli.{cmd_name}").command
        return command

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with interruptible():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> object:
        guard()
        try:
            with interruptible(), unwinding():
                return super().invoke(ctx)
        except CassetteError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever reads has enough: click ends quietly
            drop_output()
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from error


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tokentape")
def main() -> None:
    """Record, replay and measure streaming chat completions.

    \b
    tokentape record --upstream https://api.openai.com -o session.tape
    tokentape replay session.tape --speed 2
    tokentape analyze session.tape
    """

"""The group of verbs, and what is the same for all: one line for an error, and the exit codes.

0 done, 1 failed, 2 usage, 3 done but something was lost (said on stderr). Data goes to stdout, words to
stderr.
"""

import errno
from importlib import import_module

import click

from tokentape.cassette import CassetteError
from tokentape.cli._ending import unwinding
from tokentape.cli._streams import guard

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

    def invoke(self, ctx: click.Context) -> object:
        guard()
        try:
            with unwinding():
                return super().invoke(ctx)
        except CassetteError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever reads has enough: click ends quietly
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

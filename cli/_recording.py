"""What `tokentape record` is told, as options of the mitmproxy addon, and what it tells clients to set."""

import os
import shlex
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import click

from tokentape.cli._clients import through_proxy
from tokentape.recorder import arguments, units

Value = TypeVar("Value", str | None, tuple[str, ...])

_OPTIONS = {
    "append": "tape_append",
    "overwrite": "tape_overwrite",
    "rotate_size": "tape_rotate_size",
    "rotate_every": "tape_rotate_every",
    "on_write_error": "tape_on_write_error",
    "labels": "tape_label",
    "expression": "tape_filter",
    "rules": "tape_redact_rules",
}


def options_of(recording: Mapping[str, object], settings: tuple[str, ...] = ()) -> list[str]:
    """Return NAME=VALUE for mitmproxy of the verb's own options, by their parameters."""
    if any(setting.startswith("tape_out=") for setting in settings):
        raise click.UsageError("expected the cassette's name as --output, found --set tape_out")
    if recording["append"] and recording["overwrite"]:
        raise click.UsageError("expected either --append or --overwrite")
    return ["tape_redact=false"] * bool(recording["unredacted"]) + [
        f"{option}={'true' if one is True else one}"
        for parameter, option in _OPTIONS.items()
        for value in (recording[parameter],)
        for one in (value if isinstance(value, tuple) else (value,))
        if one not in (None, False)
    ]


def check_recordable(path: str, options: list[str]) -> None:
    """Refuse, before anything is started, a file that cannot be recorded to."""
    if path == "-":
        raise click.UsageError(
            "expected the name of a file for --output: a cassette is not written to a pipe"
        )
    try:
        arguments.uncompressed(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if os.path.lexists(path) and not {"tape_append=true", "tape_overwrite=true"} & set(options):
        raise click.ClickException(
            f"{path} exists; choose another name, or add --append to go on in it or --overwrite to replace it"
        )


def what_to_set(upstream: str | None, url: str, settings: tuple[str, ...] = ()) -> list[str]:
    """Return what a client's environment needs, a line each; `settings` are those of mitmproxy."""
    if upstream is not None and (urlsplit(upstream).hostname or "").endswith("anthropic.com"):
        return [f"export ANTHROPIC_BASE_URL={url}"]
    if upstream is not None:
        return [f"export OPENAI_BASE_URL={url}{urlsplit(upstream).path or '/v1'}"]
    folders = [text.partition("=")[2] for text in settings if text.startswith("confdir=")]
    folder = os.path.abspath(os.path.expanduser(folders[-1] if folders else "~/.mitmproxy"))
    return through_proxy(url, shlex.quote(f"{folder}/mitmproxy-ca-cert.pem"))


def _checked(parse: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, Value], Value]:
    def check(ctx: click.Context, param: click.Parameter, value: Value) -> Value:
        for text in value if isinstance(value, tuple) else (value,):
            try:
                if text is not None:
                    parse(text)
            except ValueError as error:
                raise click.BadParameter(str(error), ctx, param) from None
        return value

    return check


check_size = _checked(units.size_bytes)
check_span = _checked(units.span_ns)
check_label = _checked(arguments.label)

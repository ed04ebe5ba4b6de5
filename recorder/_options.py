"""The recorder's options in mitmproxy: their help, and what they mean."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from mitmproxy import exceptions, flowfilter
from mitmproxy.addonmanager import Loader
from mitmproxy.optmanager import OptManager

from tokentape.recorder import arguments, units
from tokentape.recorder._recording import Limits
from tokentape.recorder.redaction import Redactor, Rules, RulesError, default_rules, load_rules

DEFAULT_FILTER = (
    "(~m POST & ~u '/(chat/completions|completions?|responses|messages|chat|generate)([?]|$)"
    "|:(stream)?generateContent')"
    " | ~ts 'text/event-stream|application/x-ndjson'"
)
"""Calls of language models by the paths of their APIs, and whatever answers with a stream of events."""


def declare(loader: Loader) -> None:
    """Declare the options."""
    loader.add_option("tape_out", str, "", "Record to this cassette. Nothing is recorded without it.")
    loader.add_option("tape_append", bool, False, "Go on in the file `tape_out` if it exists.")
    loader.add_option("tape_overwrite", bool, False, "Replace the file `tape_out` if it exists.")
    loader.add_option(
        "tape_filter", str, DEFAULT_FILTER, "Record what matches this filter expression, and no more."
    )
    loader.add_option(
        "tape_rotate_size", str, "", "Go on in another file (NAME-0002.tape ...) at this size, such as 100MB."
    )
    loader.add_option(
        "tape_rotate_every", str, "", "Go on in another file after this time, such as 30s, 15m, 1h or 7d."
    )
    loader.add_option(
        "tape_on_write_error",
        str,
        "continue",
        "What becomes of the traffic when the cassette cannot be written any more: it goes on unrecorded, "
        "or the proxy stops.",
        choices=("continue", "stop"),
    )
    loader.add_option(
        "tape_redact",
        bool,
        True,
        "Replace secrets before anything is written. Holds for files begun from then on.",
    )
    loader.add_option(
        "tape_redact_rules",
        str,
        "",
        "A TOML file of more rules for what is a secret. Holds for files begun from then on.",
    )
    loader.add_option("tape_label", Sequence[str], [], "Label the recording with KEY=VALUE (repeatable).")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the options mean, all of it checked but for the file itself."""

    path: str = ""
    append: bool = False
    overwrite: bool = False
    matches: flowfilter.TFilter = field(default_factory=lambda: flowfilter.parse(DEFAULT_FILTER))
    limits: Limits = field(default_factory=Limits)
    stop_on_error: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    redactor: Redactor = field(default_factory=Redactor)


def settings(options: OptManager) -> Settings:
    """Return what the options mean. Raises OptionsError, with the option's name, for what means nothing."""
    if options.tape_append and options.tape_overwrite:
        raise exceptions.OptionsError("expected either tape_append or tape_overwrite, found both")
    name = ""
    try:
        name = "tape_out"
        path = arguments.uncompressed(os.path.expanduser(options.tape_out))
        name = "tape_filter"
        matches = flowfilter.parse(options.tape_filter)
        name = "tape_rotate_size"
        size = units.size_bytes(options.tape_rotate_size) if options.tape_rotate_size else 0
        name = "tape_rotate_every"
        span = units.span_ns(options.tape_rotate_every) if options.tape_rotate_every else 0
        name = "tape_label"
        labels = dict(map(arguments.label, options.tape_label))
    except ValueError as error:
        raise exceptions.OptionsError(f"{name}: {error}") from None
    return Settings(
        path=path,
        append=options.tape_append,
        overwrite=options.tape_overwrite,
        matches=matches,
        limits=Limits(size, span),
        stop_on_error=options.tape_on_write_error == "stop",
        labels=labels,
        redactor=_redactor(redact=options.tape_redact, rules=options.tape_redact_rules),
    )


def _redactor(*, redact: bool, rules: str) -> Redactor:
    if not redact:
        return Redactor(Rules())
    try:
        return Redactor(load_rules(os.path.expanduser(rules)) + default_rules() if rules else None)
    except RulesError as error:
        raise exceptions.OptionsError(f"tape_redact_rules: {error}") from None
    except OSError as error:
        raise exceptions.OptionsError(f"tape_redact_rules: {rules}: {error.strerror}") from None

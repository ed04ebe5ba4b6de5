"""The options of `replay` that say when pieces are due. They become one `Timing`, which checks them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from tokentape.replay import Timing, WrongTiming

_OPTIONS = {
    "speed": ("NUMBER|instant", "Times faster than recorded; 'instant' waits for nothing."),
    "ttft_speed": ("NUMBER", "The speed up to the first token, instead of --speed."),
    "gap_speed": ("NUMBER", "The speed after the first token, instead of --speed."),
    "ttft": ("TIME", "When the first token is due, such as 300ms."),
    "pace": ("RATE", "Pieces a second after the first token, such as 50/s."),
    "max_gap": ("TIME", "Cut recorded pauses that are longer, such as 1s."),
    "jitter": ("lognormal:SIGMA", "Make pauses longer or shorter by chance, as lognormal:0.2."),
    "seed": ("N", "Which chance: the same seed, the same schedule.  [default: 0]"),
    "start_at": ("TIME", "Send at once what was recorded before this time."),
    "delay": ("TIME", "Send everything so much later, such as 50ms."),
}
TIMING = (*_OPTIONS,)
"""The names of the options."""


def timing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets what they say as `timing`."""

    @wraps(command)
    def with_timing(*arguments: Any, **options: Any) -> Any:
        words = {name: options.pop(name) for name in _OPTIONS}
        try:
            timing = Timing.of(**words)
        except WrongTiming as error:
            hint = "--" + error.option.removesuffix("_ns").replace("_", "-")
            raise click.BadParameter(error.reason, param_hint=f"'{hint}'") from None
        return command(*arguments, timing=timing, **options)

    for name, (metavar, text) in reversed(_OPTIONS.items()):
        flag = "--" + name.replace("_", "-")
        kind: dict[str, Any] = {"type": int} if name == "seed" else {}
        if name == "speed":
            kind = {"default": "1", "show_default": True}
        with_timing = click.option(flag, name, metavar=metavar, help=text, **kind)(with_timing)
    return with_timing


class Span(click.ParamType[int]):
    """A span of time such as 5ms, in ns."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from tokentape.replay import parse_span

        try:
            return parse_span(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

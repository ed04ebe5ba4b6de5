"""Begins a recording as the options say, or says in one line why it cannot be begun."""

import logging
import os
import time
from collections.abc import Callable
from functools import partial

from mitmproxy import exceptions
from mitmproxy import version as mitmproxy_version

from tokentape import cassette
from tokentape.recorder._loss import Loss
from tokentape.recorder._options import Settings
from tokentape.recorder._part import Part
from tokentape.recorder._recording import Recording, newest

logger = logging.getLogger(__name__)


def begin_recording(
    settings: Settings, *, first: str | None = None, on_error: Callable[[], None], say: Callable[[str], None]
) -> Recording:
    """Begin a recording; with `first`, in that file, which must be new, as in a part of an earlier one.

    Where parts may follow, appending goes on in the newest of those that there are; else in the file named.
    `on_error` is called if it cannot be written any more, `say` with a line for each further part.

    Raises OptionsError.
    """
    then = "and with it the proxy" if settings.stop_on_error else "the traffic goes on unrecorded"
    begin = partial(
        Part,
        proxy=f"mitmproxy {mitmproxy_version.VERSION}",
        labels=settings.labels,
        redactor=settings.redactor,
        loss=Loss(time.monotonic_ns, on_error=on_error, then=then),
    )
    path = first or settings.path
    try:
        if first is not None:
            part = begin(path)
        else:
            if settings.append and any(settings.limits):
                path = newest(path)
            part = begin(path, append=settings.append, overwrite=settings.overwrite)
    except FileExistsError:
        raise exceptions.OptionsError(_exists(path)) from None
    except cassette.CassetteError as error:
        raise exceptions.OptionsError(f"cannot append to {error}") from None
    except OSError as error:
        raise exceptions.OptionsError(f"cannot record to {path}: {error.strerror or error}") from None
    if part.writer.torn is not None:
        logger.warning(
            "%s: %s. That stays, the recording goes on behind it, and `tokentape recover` copies the rest",
            path,
            part.writer.torn,
        )
    if not settings.redactor.names:
        logger.warning("NOTHING IS REDACTED: API keys, cookies and all other secrets go to %s", path)
    return Recording(settings.path, part, begin, limits=settings.limits, say=say)


def refuse_existing(settings: Settings) -> None:
    """Raise OptionsError if the recording would be refused for the file being there."""
    if os.path.lexists(settings.path) and not (settings.append or settings.overwrite):
        raise exceptions.OptionsError(_exists(settings.path))


def _exists(path: str) -> str:
    return (
        f"tape_out: {path} exists; choose another name, "
        "or --set tape_append=true to go on in it, or --set tape_overwrite=true to replace it"
    )

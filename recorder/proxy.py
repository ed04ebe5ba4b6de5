"""Runs mitmproxy in this process, with the recorder in it."""

import asyncio
import contextlib
import errno
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from mitmproxy import addons, exceptions, http
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy import server

from tokentape.recorder.addon import TapeAddon

_ENDING = (signal.SIGINT, signal.SIGTERM)
_HANG_UP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # Windows has none
_MAX_SILENCE_S = 24 * 60 * 60


class ProxyError(Exception):
    """The proxy could not be started; the message is one line for the user."""


def run(
    addon: TapeAddon,
    path: str,
    *,
    mode: str,
    listen: tuple[str, int],
    settings: Sequence[str] = (),
    on_listening: Callable[[str, int], None],
    say: Callable[[str], None],
) -> None:
    """Run a proxy that records to `path` until SIGINT or SIGTERM.

    SIGHUP begins the next part, as those expect who rotate logs, but where it says that the terminal is
    gone: then it ends the proxy. Where it was ignored (nohup) it stays so.

    `mode` is mitmproxy's: "regular", or "reverse:URL". `settings` are options of mitmproxy or the addon,
    as NAME=VALUE. `on_listening` is called with host and port once connections are accepted. The file is
    not touched before that. `say` gets mitmproxy's warnings and errors; it must not wait.

    Signals are ignored when this returns: the recording has ended then, and there is nothing
    left that a second one could be meant for.

    Raises `ProxyError` if the address cannot be listened at, the file not written, or an option is refused.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(addon, path, mode, listen, settings, on_listening, say))


async def _run(
    addon: TapeAddon,
    path: str,
    mode: str,
    listen: tuple[str, int],
    settings: Sequence[str],
    on_listening: Callable[[str, int], None],
    say: Callable[[str], None],
) -> None:
    master = Master(Options())
    master.addons.add(*addons.default_addons())
    start = _Start(master, path, listen, on_listening)
    log = _Log(start, say)
    logging.getLogger().addHandler(log)
    try:
        master.addons.add(addon, _PassThrough(), start)
        if mode.startswith("reverse:"):
            # Eagerly, mitmproxy connects before it looks at the request: an upstream that refuses would
            # close the client's connection without a word, where lazily the client gets a 502. And the
            # time of connecting would be hidden before the moment at which the request counts as complete.
            master.options.update(connection_strategy="lazy")
        _leave_alone(master.options)
        master.options.update(mode=[mode], listen_host=listen[0], listen_port=listen[1])
        master.options.set(*settings)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, AttributeError):  # Windows: KeyboardInterrupt ends it
            for number in _ENDING:
                loop.add_signal_handler(number, master.shutdown)
            for number in _HANG_UP:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    loop.add_signal_handler(number, _hung_up, master, addon)
        loop.set_exception_handler(_unless_cancelled)
        await master.run()
    except exceptions.OptionsError as error:
        raise ProxyError(str(error)) from None
    finally:
        for number in (*_ENDING, *_HANG_UP):
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_signal_handler(number)  # or closing the loop would
            signal.signal(number, signal.SIG_IGN)
        logging.getLogger().removeHandler(log)
    if start.failure is not None:
        raise ProxyError(start.failure)


def _leave_alone(options: Options) -> None:
    """Let pass what mitmproxy would cut off or refuse, and a client without a proxy would take.

    Those are streams that are silent for ten minutes, and answers with headers that could be misread, such as
    a content-length beside chunks. Clients share no connection to an upstream here, so what one of them could
    smuggle by such headers would reach nobody but itself.
    """
    options.update(validate_inbound_headers=False)
    if "tcp_timeout" in options:
        options.update(tcp_timeout=_MAX_SILENCE_S)
    else:
        vars(server)["TCP_TIMEOUT"] = _MAX_SILENCE_S  # mitmproxy 11 has no option for it


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return the faster event loop where there is one.

    On it the proxy with the recorder takes, piece by piece, at least as many a second as mitmproxy alone
    does on asyncio's own (`make bench` has the figures). From Python 3.13 on uvloop hands the eager tasks
    that mitmproxy uses an argument that some releases of asyncio do not take, and nothing would start.
    """
    if sys.version_info >= (3, 13):
        return None
    try:
        from uvloop import new_event_loop  # noqa: PLC0415  (Windows has none)
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = new_event_loop
    return factory


def _unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep quiet about connections that are cancelled because the proxy ends.

    Each client that is still connected has a task, whose end asyncio's streams report as an error.
    """
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


def _hung_up(master: Master, addon: TapeAddon) -> None:
    if any(map(_is_terminal_that_is_gone, range(3))):
        master.shutdown()
        return
    try:
        addon.rotate()
    except exceptions.CommandError as error:
        logging.getLogger(__name__).error("SIGHUP: %s", error)  # noqa: TRY400  (one line)


def _is_terminal_that_is_gone(descriptor: int) -> bool:
    import termios  # noqa: PLC0415  (Windows has none, nor SIGHUP)

    try:
        termios.tcgetattr(descriptor)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)  # else it is no terminal
    return False


class _PassThrough:
    """Streams also what is not recorded: the proxy is to hold nothing back."""

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None and not flow.response.stream:
            flow.response.stream = True


class _Start:
    """Begins the recording once the proxy accepts connections, or ends the proxy with what went wrong."""

    def __init__(
        self, master: Master, path: str, listen: tuple[str, int], on_listening: Callable[[str, int], None]
    ) -> None:
        self.failure: str | None = None
        self.started = False
        self._master = master
        self._path = path
        self._listen = listen
        self._on_listening = on_listening

    def running(self) -> None:
        addresses = self._master.addons.get("proxyserver").listen_addrs()
        if not addresses:
            host, port = self._listen
            # mitmproxy says it at length; what the system said is at the end of it, behind [Errno ...]
            why = (self.failure or "no address").rpartition(" with ")[2].rpartition(": ")[2]
            why = why.rpartition("] ")[2]
            self.failure = (
                f"cannot listen on {host}:{port}: {why}; choose another address (port 0 picks a free one)"
            )
        elif self.failure is None:
            try:
                self._master.options.update(tape_out=self._path)
            except exceptions.OptionsError as error:
                self.failure = str(error)
        if self.failure is not None:
            self._master.shutdown()
            return
        self.started = True
        self._on_listening(*addresses[0][:2])


class _Log(logging.Handler):
    """Shows mitmproxy's warnings and errors; the first error before the start is why there is none."""

    def __init__(self, start: _Start, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say
        self._start = start

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.exc_info and record.exc_info[1]:  # "mitmproxy has crashed!" says nothing of why
            message += f" {record.exc_info[1]}"
        if not self._start.started and record.levelno >= logging.ERROR:
            self._start.failure = self._start.failure or message.splitlines()[0]
        else:
            self._say(f"{record.levelname.lower()}: {message}")

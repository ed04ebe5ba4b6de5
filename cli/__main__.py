"""What starts the command: `tokentape`, and `python -m tokentape.cli`.

The invariant: Ctrl-C ends it without a traceback and with 130, as a shell has it, also while it is loaded.
A code of 1 would be an answer of verbs that compare.
"""

import os
import signal

_INTERRUPTED = 128 + signal.SIGINT


def run() -> None:
    """Run the command that `sys.argv` has."""
    # While modules are loaded there is nothing to tidy, and an exception may be lost in the import system.
    taken = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if taken:
        signal.signal(signal.SIGINT, _end)
    from tokentape.cli._group import main

    try:
        if taken:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
    except KeyboardInterrupt:  # before a verb has begun, or after its end
        raise SystemExit(_INTERRUPTED) from None


def _end(number: int, frame: object) -> None:  # noqa: ARG001  (its signature)
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    run()

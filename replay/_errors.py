"""What can go wrong in loading recordings to replay, beside what is wrong with a cassette itself."""

from typing import Self

_MAX_PORT = 65_535


class ReplayError(Exception):
    """The root of all errors of this package; its message is one line for the user."""


class NothingToServe(ReplayError):
    """The cassettes hold no exchange that can be replayed."""


class CannotListen(ReplayError):
    """The system does not let the server listen where it was told to."""

    @classmethod
    def because(cls, host: str, port: int, error: OSError | UnicodeError) -> Self:
        """Return the error for what the system has said."""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        return cls(
            f"cannot listen on {host}:{port}: {reason}; choose another address, "
            "or port 0 for any that is free"
        )


def check_address(host: str, port: int) -> None:
    """Raise `CannotListen` for what systems take otherwise than it was meant, or not at all.

    No host is every address there is for them, which is to be said where it is wanted.
    """
    if not host:
        raise CannotListen(
            "cannot listen: expected a host such as 127.0.0.1, or 0.0.0.0 for every address, found ''"
        )
    if not 0 <= port <= _MAX_PORT:
        raise CannotListen(f"cannot listen on {host}:{port}: expected a port from 0 to {_MAX_PORT}")


class UnusableCertificate(ReplayError):
    """A certificate, its key or an authority cannot be used; the message names the file and what is wrong."""


class Unservable(ReplayError):
    """One exchange cannot be replayed; the message says why. `load` turns it into a remark."""


class ControlError(ReplayError):
    """A server that was to be steered is not there, or says no; then `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

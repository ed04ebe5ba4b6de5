"""What can be wrong with a cassette. Opening and iterating raise these and nothing else."""


class CassetteError(Exception):
    """The root of all errors of this package; its message is one line for the user."""


class Unreadable(CassetteError):
    """The operating system does not let the file be read: missing, a folder, no permission."""


class NotACassette(CassetteError):
    """The file is something else: it does not begin with the magic of a cassette."""


class UnsupportedVersion(CassetteError):
    """The file is a cassette of a newer format than this library knows."""


class RecordTooLarge(CassetteError):
    """A record that readers would refuse was about to be written; nothing of it was."""


class NotAppendable(CassetteError):
    """A recording cannot go on in this file: what is in it cannot be written behind."""


class Corrupt(CassetteError):
    """A part of the file is not what was written: a frame or a record does not check out.

    `offset` is where the damaged part begins, in bytes of the (decompressed) cassette; `reason` says
    what was expected there and what was found.
    """

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(f"{name}: damaged at byte {offset}: {reason}")
        self.offset = offset
        self.reason = reason


class TornTail(CassetteError):
    """The file ends inside a record: the recorder or the machine stopped while it was written.

    Everything before `offset` is whole.
    """

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(f"{name}: cut off at byte {offset}: {reason}; everything before it is whole")
        self.offset = offset
        self.reason = reason

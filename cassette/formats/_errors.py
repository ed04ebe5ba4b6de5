"""What can be wrong with a file of another format."""

from tokentape.cassette._errors import CassetteError


class NotTheFormat(CassetteError):
    """The file is not of the format that its name, or the user, says."""


class WrongLine(CassetteError):
    """A line of JSON is no record; the message names line and field, what was expected and found."""


class NotWritten(CassetteError):
    """The format is read and not written."""

"""Where a section record must have been lost: what is certain of it, for all who number or mend sections."""

from tokentape.cassette._records import Close, Note, Record, Section, Unknown


class LostSections:
    """Fed with the records of a file in order, says before which of them the section record is missing.

    It is certain where the file begins with another record, and where one that belongs to an exchange, or
    a second close, comes after a close.

    `closed` is whether a close was the last of the records of which a section is made.
    """

    def __init__(self) -> None:
        self.closed = False
        self._begun = False

    def before(self, record: Record) -> bool:
        """Return whether the section record that this record comes after must have been lost."""
        match record:
            case Section():
                self._begun, self.closed = True, False
                return False
            case Unknown() | Note() if self._begun:
                return False
        is_lost = not self._begun or self.closed
        self._begun, self.closed = True, isinstance(record, Close)
        return is_lost

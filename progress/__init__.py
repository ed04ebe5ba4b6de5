"""How far something is: a bar on standard error, for whoever waits there for more than a second.

Nothing is printed where standard error is no terminal, and nothing stays when it is over.
"""

from tokentape.progress._bar import Follow, Tell, bar, followed, is_seen, reading_bar

__all__ = ["Follow", "Tell", "bar", "followed", "is_seen", "reading_bar"]

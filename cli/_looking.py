"""Looks at a recording again and again: what came since the last look, and what is under way then."""

import time
from collections.abc import Callable, Iterator

import msgspec

from tokentape import cassette
from tokentape.cli._watched import Picture, Watched


def looking(follower: cassette.Follower, most_s: float | None) -> Callable[[], Picture]:
    """Return a function that reads on, for no longer than `most_s`, and says what is under way.

    What is left is read at the next look: a long file is seen to be read.
    """
    watched, generation = Watched(), 0
    records: Iterator[cassette.Record] | None = None

    def look() -> Picture:
        nonlocal watched, generation, records
        if records is None:
            records = follower.poll()
            if follower.generation != generation:
                watched, generation = Watched(), follower.generation
        deadline = float("inf") if most_s is None else time.monotonic() + most_s
        for record in records:
            watched.take(record)
            if time.monotonic() > deadline:
                break
        else:
            records = None
        return watched.picture(time.time_ns())

    return look


def as_json_line(picture: Picture, follower: cassette.Follower) -> str:
    """Return a picture, and how far the file was read, as one JSON object."""
    found = {
        "file": follower.path,
        "size": follower.size,
        "read": follower.position,
        "damaged": len(follower.damage),
    }
    return msgspec.json.encode(found | msgspec.to_builtins(picture)).decode()

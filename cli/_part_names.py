"""Names of files for the parts of a cassette, from hosts and models, which strangers choose.

The guarantee: each is the name of a file in the folder, on any file system, and no two are the same, also
where upper and lower case are not told apart.
"""

import re
from collections.abc import Iterable

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_LENGTH = 80


def part_files(source: str, names: Iterable[str]) -> list[str]:
    """Return a file name for each part: that of the source, with the part's before its ending.

    ::

        part_files("tapes/a.tape", ["gpt-4o"]) == ["a.gpt-4o.tape"]
    """
    base = re.split(r"[/\\]", source)[-1] if source != "-" else "cassette.tape"
    stem, dot, ending = base.removesuffix(".zst").rpartition(".")
    if not dot or not stem:
        stem, ending = base.removesuffix(".zst"), "tape"
    ending += ".zst" if base.endswith(".zst") else ""
    taken: set[str] = set()
    files: list[str] = []
    for name in names:
        safe = _UNSAFE.sub("_", name).strip(".")[:_MAX_LENGTH] or "_"
        found, number = safe, 1
        while found.casefold() in taken:
            number += 1
            found = f"{safe}~{number}"
        taken.add(found.casefold())
        files.append(f"{stem}.{found}.{ending}")
    return files

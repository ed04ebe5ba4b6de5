"""Every verb that prints a table, on real terminals from wide to narrow: the numbers and labels stay."""

import fcntl
import os
import struct
import subprocess
import sys
import termios
from collections import Counter

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage_chunk, write
from tests.terminals import terminal

WIDTHS = (20, 27, 36, 40, 50, 60, 72, 80, 90, 100, 120)
WIDE = 400
END = "\x1e"
VERBS = {
    "compare": ["compare", "a.tape", "b.tape"],
    "compare --by": ["compare", "a.tape", "b.tape", "--by", "model", "--by", "route"],
    "analyze": ["analyze", "a.tape"],
    "analyze --by": ["analyze", "a.tape", "--by", "model", "--by", "route", "--by", "hour"],
    "analyze --slo": ["analyze", "a.tape", "--slo", "ttft_ms=1200,gap_ms=50", "--by", "route"],
    "analyze --stalls": ["analyze", "a.tape", "--stalls", "20"],
    "analyze --names otel": ["analyze", "a.tape", "--names", "otel", "--by", "outcome"],
    "fidelity": ["fidelity", "a.tape", "a.tape"],
    "info": ["info", "a.tape"],
    "watch": ["watch", "a.tape", "--once"],
    "split": ["split", "a.tape", "--by", "model", "-o", "parts", "--overwrite"],
}
CHILD = """
import fcntl, os, struct, sys, termios
from tokentape.cli import main
for width in map(int, sys.argv[1].split(",")):
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    main(sys.argv[2:], standalone_mode=False)
    print("\\x1e", flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two recordings of two models and two long routes each; what ends ill, and what has no text."""
    made = tmp_path_factory.mktemp("tapes")
    for name, ttft in (("a", 1100), ("b", 1300)):
        exchanges = []
        for number in range(24):
            pieces = [
                ((ttft + number) * MS, data(chunk({"content": "a"}))),
                ((ttft + number + 123) * MS, data(chunk({"content": "a"}, "stop"))),
                ((ttft + number + 130) * MS, data(usage_chunk(9, 5)) + DONE),
            ]
            path = (
                b"/v1/a-long-name-of-a-deployment/chat/completions" if number % 2 else b"/v1/chat/completions"
            )
            body = f'{{"model":"maker/a-model-with-a-name-{number % 2}","number":{number}}}'.encode()
            status = 200 if number % 5 else 500
            exchanges.append(records(pieces, exchange=number, path=path, body=body, status=status))
        write(made / f"{name}.tape", *exchanges)
    return made


def screens(folder, arguments, widths):
    """What the verb prints on a terminal that is so wide, for each width."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with terminal() as (there, written):
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDE, 0, 0))
        done = subprocess.run(
            [sys.executable, "-c", CHILD, ",".join(map(str, widths)), *arguments],
            check=False,
            stdin=there,
            stdout=there,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment | {"TERM": "xterm", "NO_COLOR": "1"},
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    *found, _ = b"".join(written).decode().replace("\x1b[1m", "").replace("\x1b[0m", "").split(END)
    return dict(zip(widths, found, strict=True))


def words(screen):
    return Counter(word.strip(":,;()") for word in screen.split() if word.strip("─"))


def is_number(word):
    return word.strip("+-%").replace(",", "").replace(".", "").isdecimal()


@pytest.mark.parametrize("verb", VERBS)
def test_every_number_and_label_of_the_wide_table_is_in_the_narrow_one(folder, verb):
    found = screens(folder, VERBS[verb], (WIDE, *WIDTHS))
    wide = words(found[WIDE])
    for width in WIDTHS:
        narrow = words(found[width])
        lacking = wide - narrow  # a label that several rows have may be above them once
        assert not [word for word in lacking if word not in narrow or is_number(word)], width
        assert "…" not in found[width]
    assert any(any(character.isdigit() for character in word) for word in wide)

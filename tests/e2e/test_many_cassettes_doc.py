"""Every command and program of docs/many-cassettes.md is run here, but what takes several machines."""

from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from tests.analysis.dask.test_recording import tapes
from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.e2e.newcomer import Newcomer, blocks
from tests.e2e.processes import ROOT
from tests.e2e.upstream import upstream
from tokentape.analysis import load
from tokentape.analysis.dask import RELATIVE_ERROR
from tokentape.analysis.dask._load import EXACT_UP_TO
from tokentape.analysis.loading._parts import _LEAST_BYTES, GATHER_BYTES, MAX_PART_BYTES

DOCUMENT = (ROOT / "docs" / "many-cassettes.md").read_text()


def test_every_command_and_program_works_as_printed(tmp_path: Path, home: dict[str, str]):
    folder = tapes(tmp_path / "tapes", count=3)
    pieces = [
        (20 * MS, data(chunk({"content": "a"}))),
        (40 * MS, data(chunk(finish="stop"))),
        (41 * MS, DONE),
    ]
    write(folder / "recorded.tape", *(records(pieces, exchange=number) for number in range(2)))
    with upstream() as server, ExitStack() as stack:
        newcomer = Newcomer(tmp_path, server, home, stack)
        for kind, text in blocks(DOCUMENT):
            for line in text.splitlines() if kind == "sh" else ():
                if not line.startswith("pip "):
                    newcomer.line(line)
            if kind == "python":
                newcomer.code(kind, text)
    assert "ttft_ms" in newcomer.outputs["python"]
    assert "Too little to say" in newcomer.outputs["python"]
    written = pd.read_parquet(tmp_path / "tables" / "streams.parquet")
    assert len(written) == len(load(folder, where="status=200").streams)


def test_what_it_says_in_numbers_is_so():
    text = " ".join(DOCUMENT.split())
    assert f"{MAX_PART_BYTES >> 20} MiB (`max_part_bytes`)" in text
    assert f"{GATHER_BYTES >> 20} MiB in all (`gather_bytes`" in text
    assert f"counts as {_LEAST_BYTES >> 10} KiB" in text
    assert f"{EXACT_UP_TO // 10**6} million gaps" in text
    assert f"within {RELATIVE_ERROR:.1%}" in text

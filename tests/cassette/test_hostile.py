"""A file that claims to be long takes no memory for it, and is damaged, nothing else."""

import io
import struct
import subprocess
import sys

import pytest

from tests.cassette.tapes import CHUNKS, SECTION
from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode

HUGE = b"\xff\xff\xff\xff"
ZSTD = b"\x28\xb5\x2f\xfd"
MIB = 1 << 20


def zeros_in_zstd(blocks: int, window: int = 0x58) -> bytes:
    """A zstd frame whose blocks of four bytes are 128 KiB of zeros each; `window` is its descriptor."""
    header = [(128 << 10) << 3 | 1 << 1 | (number == blocks - 1) for number in range(blocks)]
    return ZSTD + bytes([0, window]) + b"".join(struct.pack("<I", each)[:3] + b"\0" for each in header)


def bytes_in_zstd(data: bytes) -> bytes:
    """A zstd frame with one block that holds bytes as they are."""
    return ZSTD + bytes([0, 0x58]) + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def request_with(headers: bytes) -> bytes:
    before = [1, 0, 1, 2, "GET", "http", "h", 80, b"/", "HTTP/1.1"]
    return b"\x9f" + encode(before)[1:] + headers


SECTION_FRAME = frame(encode(SECTION))
FILES = {
    "a frame of 4 GiB": SECTION_FRAME + b"\xc9" + HUGE + b"T" + bytes(100),
    "a frame as long as is allowed": SECTION_FRAME + b"\xc9\x10\x00\x00\x04T" + bytes(100),
    "frames as long as is allowed, thousandfold": SECTION_FRAME + b"\xc9\x10\x00\x00\x04T\0\0\0\0" * 1000,
    "an array of 4 Gi": SECTION_FRAME + frame(b"\xdd" + HUGE + b"\x03"),
    "an unknown kind with an array of 4 Gi": SECTION_FRAME + frame(b"\x92\xcc\xc8\xdd" + HUGE),
    "an unknown kind with a map of 4 Gi": SECTION_FRAME + frame(b"\x92\xcc\xc8\xdf" + HUGE),
    "data of 4 GiB": SECTION_FRAME + frame(b"\x94\x03\x00\x01\xc6" + HUGE + b"a"),
    "a text of 4 GiB": SECTION_FRAME + frame(b"\x94\x05\x00\xdb" + HUGE + b"a"),
    "4 Gi headers": SECTION_FRAME + frame(request_with(b"\xdd" + HUGE + b"\x92\xc4\x00\xc4\x00")),
    "4 Gi labels": frame(b"\x99" + encode([0, 1, 0, 0, "", "", "", []])[1:] + b"\xdf" + HUGE),
    "4 Gi rules": frame(b"\x98" + encode([0, 1, 0, 0, "", "", ""])[1:] + b"\xdd" + HUGE + b"\xa0"),
    "lists nested in a record": SECTION_FRAME + frame(request_with(b"\x91" * 100_000)),
    "lists nested behind a record": SECTION_FRAME + frame(b"\x95\x03\0\0\xc4\0" + b"\x91" * 100_000 + b"\0"),
    "lists nested in an unknown kind": SECTION_FRAME + frame(b"\x92\xcc\xc8" + b"\x91" * 100_000 + b"\0"),
    "maps nested in an unknown kind": SECTION_FRAME + frame(b"\x92\xcc\xc8" + b"\x81\0" * 100_000 + b"\0"),
}
COMPRESSED = {
    "a bomb": zeros_in_zstd(1020),
    "a bomb behind a section": bytes_in_zstd(MAGIC + SECTION_FRAME) + zeros_in_zstd(8000),
    "a thousand empty zstd frames": bytes_in_zstd(MAGIC + SECTION_FRAME) + bytes_in_zstd(b"") * 1000,
    **{
        f"a window of 2^{10 + exponent}": zeros_in_zstd(1, exponent << 3)
        for exponent in (17, 18, 20, 21, 25, 31)
    },
}
READ = f"""
import io, resource, sys
from tokentape import cassette
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
resource.setrlimit(resource.RLIMIT_AS, ({600 * MIB}, {600 * MIB}))
data = sys.stdin.buffer.read()
before = peak()
try:
    reader = cassette.Reader(io.BytesIO(data), lenient=True)
    print(sum(1 for _ in reader), len(reader.damage))
except cassette.CassetteError as error:
    print(type(error).__name__)
try:
    print(sum(1 for _ in cassette.Reader(io.BytesIO(data))))
except cassette.CassetteError as error:
    print(type(error).__name__)
print((peak() - before) / 1024)
"""


def read_with_little_memory(data: bytes) -> tuple[str, str, float]:
    """What a lenient and a strict reader make of it in 600 MiB of address space, and the MiB they took."""
    done = subprocess.run(
        [sys.executable, "-c", READ], input=data, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    lenient, strict, taken = done.stdout.decode().splitlines()
    return lenient, strict, float(taken)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the most memory that was taken")


@on_linux
@pytest.mark.parametrize("kind", FILES)
def test_what_claims_to_be_long_is_damage_and_takes_no_memory(kind):
    lenient, strict, taken = read_with_little_memory(MAGIC + FILES[kind])
    whole = 0 if kind in {"4 Gi labels", "4 Gi rules"} else 1
    assert lenient == f"{whole} 1"
    assert strict in {"Corrupt", "TornTail"}
    assert taken < 20


@on_linux
@pytest.mark.parametrize("kind", COMPRESSED)
def test_what_expands_takes_little_memory(kind):
    _, _, taken = read_with_little_memory(COMPRESSED[kind])
    assert taken < 20


@pytest.mark.parametrize("limit", [1 << 16, 1 << 20])
def test_the_limit_that_a_reader_sets_bounds_what_a_bomb_of_whole_records_takes(limit):
    whole = frame(encode(CHUNKS[0]))
    data = MAGIC + SECTION_FRAME + frame(encode(cassette.Chunk(exchange=0, t=0, data=bytes(limit)))) + whole
    reader = cassette.Reader(io.BytesIO(data), lenient=True, max_record_bytes=limit)
    assert list(reader) == [SECTION, CHUNKS[0]]
    assert "longer than" in reader.damage[0].reason

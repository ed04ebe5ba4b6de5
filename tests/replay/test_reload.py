import asyncio
import os
from functools import partial

import pytest

from tests.cassette.tapes import SECTION, write
from tests.replay.recordings import exchange, post, tape
from tokentape.replay import Server, load, reload_on_change, state_of

TIMEOUT_S = 20


class Reloading:
    """A server that is kept up to date, and what was said of it."""

    def __init__(self, *names):
        self.names = [str(name) for name in names]
        self.load = partial(load, self.names, speed="instant")
        self.lines = asyncio.Queue()

    async def __aenter__(self):
        before = state_of(self.names)
        self.server = Server(self.load())
        await self.server.start()
        self._task = asyncio.create_task(
            reload_on_change(
                self.server, self.names, self.load, before=before, say=self.lines.put_nowait, interval_s=0.01
            )
        )
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.server.stop()

    async def line(self):
        return await asyncio.wait_for(self.lines.get(), TIMEOUT_S)

    async def status(self, body):
        reader, writer = await asyncio.open_connection(*self.server.address)
        writer.write(post(body, headers="Connection: close\r\n"))
        answer = await asyncio.wait_for(reader.read(), TIMEOUT_S)
        writer.close()
        await writer.wait_closed()
        return int(answer.split()[1])


def served(server):
    return [(item.source.rpartition("/")[2], item.times) for item in server.stats.served]


def test_a_cassette_that_was_written_anew_is_served_and_counts_go_on(tmp_path):
    never = exchange(3, body=b"never asked for")
    path = tape(tmp_path / "a.tape", exchange(0, body=b"1"), exchange(1, body=b"2"), never)

    async def main():
        async with Reloading(path) as found:
            assert [await found.status(body) for body in (b"1", b"2", b"3")] == [200, 200, 404]
            new = tape(tmp_path / "new", exchange(0, body=b"1"), exchange(2, body=b"3"))
            os.replace(new, path)
            assert await found.line() == "reloaded: 2 exchanges to serve"
            assert [await found.status(body) for body in (b"1", b"2", b"3")] == [200, 404, 200]
            assert served(found.server) == [
                ("a.tape, exchange 0", 2),
                ("a.tape, exchange 2", 1),
                ("a.tape, exchange 1", 1),
            ]

    asyncio.run(main())


def test_a_file_that_is_new_to_a_pattern_is_served(tmp_path):
    tape(tmp_path / "a.tape", exchange(0, body=b"1"))

    async def main():
        async with Reloading(tmp_path / "*.tape") as found:
            os.replace(tape(tmp_path / "new", exchange(0, body=b"2")), tmp_path / "b.tape")
            await found.line()
            assert [await found.status(body) for body in (b"1", b"2")] == [200, 200]
            (tmp_path / "a.tape").unlink()
            await found.line()
            assert [await found.status(body) for body in (b"1", b"2")] == [404, 200]

    asyncio.run(main())


HALF = {
    "torn": lambda path: path.write_bytes(tape(path.with_name("whole"), exchange()).read_bytes()[:-5]),
    "interrupted": lambda path: write(path, SECTION, *exchange(0, body=b"2")),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no cassette"),
}


@pytest.mark.parametrize("how", [*HALF, "gone"])
def test_a_half_written_cassette_keeps_what_was_served_and_says_so_once(tmp_path, how):
    path = tape(tmp_path / "a.tape", exchange(0, body=b"1"))

    async def main():
        async with Reloading(path) as found:
            if how == "gone":
                path.unlink()
            else:
                half = tmp_path / "half"
                HALF[how](half)
                os.replace(half, path)
            line = await found.line()
            assert line.startswith("not reloaded: ")
            assert str(path) in line
            assert line.endswith("; what was read before is served")
            assert await found.status(b"1") == 200
            if how != "gone":
                os.utime(path, ns=(1, 1))  # it goes on being written, for all that can be seen
                await asyncio.sleep(0.1)
            os.replace(tape(tmp_path / "new", exchange(0, body=b"2")), path)
            assert await found.line() == "reloaded: 1 exchange to serve"
            assert [await found.status(body) for body in (b"1", b"2")] == [404, 200]

    asyncio.run(main())


def test_an_answer_on_its_way_goes_on_while_its_cassette_is_replaced(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(pieces=[(1, b"first"), (3_600_000, b"x")], end_ms=3_600_001))

    async def main():
        async with Reloading(path) as found:
            found.server.replace(load(path))  # at the recorded speed
            reader, writer = await asyncio.open_connection(*found.server.address)
            writer.write(post())
            await asyncio.wait_for(reader.readuntil(b"first\r\n"), TIMEOUT_S)
            os.replace(tape(tmp_path / "new", exchange(body=b"2")), path)
            await found.line()
            assert found.server.running == 1
            assert await found.status(b"2") == 200
            writer.close()

    asyncio.run(main())


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("too deep"), KeyError("a mistake\nof ours")])
@pytest.mark.parametrize("where", ["load", "prepare", "replace"])
def test_whatever_goes_wrong_is_said_in_a_line_and_the_next_change_is_served(tmp_path, error, where):
    path = tape(tmp_path / "a.tape", exchange(0, body=b"1"))
    failures = []

    def failing(done):
        def do(*arguments):
            if failures:
                raise failures.pop()
            return done(*arguments)

        return do

    async def main():
        found = Reloading(path)
        if where == "load":
            found.load = failing(found.load)
        async with found:
            if where != "load":
                setattr(found.server, where, failing(getattr(found.server, where)))
            failures.append(error)
            os.replace(tape(tmp_path / "new", exchange(0, body=b"2")), path)
            line = await found.line()
            assert line.startswith(f"not reloaded: {type(error).__name__}")
            assert line.endswith("; what was read before is served")
            assert line.isprintable()
            assert await found.status(b"1") == 200
            os.replace(tape(tmp_path / "newer", exchange(0, body=b"3"), exchange(1, body=b"4")), path)
            assert await found.line() == "reloaded: 2 exchanges to serve"
            assert await found.status(b"3") == 200

    asyncio.run(main())

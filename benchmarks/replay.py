"""How close a replay comes to its due times, against a server that sleeps before each piece.

Both servers play the same streams: 100 at a time, 50 pieces a second each, begun evenly spread. The other
one is aiohttp, with one `asyncio.sleep` for each gap, until the piece's absolute due time: the
fairest form of it, which does not drift. Lateness is measured in each server, right after the write of
a piece, from the moment at which the server had the request; and once more by the client, a process of
its own, from the moment at which it sent the request (there the client's own waking is in both numbers).

Without waiting (`instant`), one connection asks for the same answer again and again, of the replay and of
the least that asyncio can do: a protocol that looks for the end of the request's head and writes the
prepared answer. Rounds alternate, since a machine is not as fast at one time as at another. A request costs
the replay what parsing, matching and counting cost (some 15 us), a piece costs it nothing: the limit is for
an answer so long that the wire is what counts, and shorter ones stand beside it.
"""

import asyncio
import gc
import json
import re
import select
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

STREAMS = 100
PIECES = 200
GAP_NS = 20_000_000
LONG_GAPS = 2_000
LONG_GAP_NS = 5_000_000
LONG_STREAMS = 9
LONG_SPREAD_NS = 90_000_000  # so that what else the machine does meets the ends of few
FIRST_NS = 100_000_000  # of the first piece: by then all streams have begun
INSTANT_PIECES = (10_000, 2_000, 200)
INSTANT_ROUNDS = 15
INSTANT_SECONDS = 0.15  # of each round
REQUEST = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


def run():
    """Measure, in some twenty seconds, and return one row for each claim."""
    with TemporaryDirectory() as folder:
        load = (STREAMS, GAP_NS, GAP_NS)
        ours = _under_load(*load, "serve-replay", _tape(folder, PIECES, GAP_NS))
        other = _under_load(*load, "serve-sleeping")
        path = _tape(folder, LONG_GAPS, LONG_GAP_NS)
        long = _under_load(LONG_STREAMS, LONG_SPREAD_NS, LONG_GAP_NS, "serve-replay", path)
        instant = [_instant(folder, pieces) for pieces in INSTANT_PIECES]
    rate = f"{STREAMS} streams x {1_000_000_000 // GAP_NS} pieces/s"
    return [
        {
            "benchmark": "replay lateness",
            "what": f"median lateness of a piece in the server, {rate}: aiohttp with asyncio.sleep / replay",
            "measured": other["p50_ms"] / ours["p50_ms"],
            "unit": "x",
            "limit": 5.0,
            "better": "higher",
            "pieces": ours["pieces"],
            **{f"replay_{name}": value for name, value in ours.items() if name.endswith("ms")},
            **{f"sleeping_{name}": value for name, value in other.items() if name.endswith("ms")},
        },
        {
            "benchmark": "replay drift",
            "what": f"{LONG_GAPS} gaps of {LONG_GAP_NS / 1e6:g} ms: the last piece at the client after its "
            f"due time, median of {LONG_STREAMS} streams",
            "measured": long["last_ms"],
            "unit": "ms",
            "limit": 2.0,
            "better": "lower",
            **{name: value for name, value in long.items() if name.startswith("client")},
        },
        *(
            {
                "benchmark": "replay instant",
                "what": f"pieces/s of an answer of {pieces} pieces: replay / asyncio.Protocol that writes it",
                "measured": statistics.median(one / other for one, other in rounds),
                "unit": "x",
                "limit": limit,
                "better": "higher",
                "replay_pieces_per_s": statistics.median(one for one, _ in rounds),
                "bare_pieces_per_s": statistics.median(other for _, other in rounds),
            }
            for pieces, rounds, limit in zip(INSTANT_PIECES, instant, (0.8, None, None), strict=True)
        ),
    ]


def _instant(folder, pieces):
    """Return the pieces a second of the replay and of the bare protocol, for each round."""
    from tokentape.replay import load

    path = _tape(folder, pieces - 1, GAP_NS)
    answer = b"".join(data for _, data in load(path, speed="instant").recorded[0].answer.parts)
    prepared = Path(folder) / "answer"
    prepared.write_bytes(answer)
    servers = (_Server("serve-replay", path, "instant"), _Server("serve-bare", str(prepared)))
    with servers[0] as ours, servers[1] as bare:
        return [
            tuple(_answers_per_s(server.port, len(answer)) * pieces for server in (ours, bare))
            for _ in range(INSTANT_ROUNDS)
        ]


def _answers_per_s(port, size):
    buffer = memoryview(bytearray(1 << 18))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = time.perf_counter()
        answers = 0
        while (took := time.perf_counter() - begun) < INSTANT_SECONDS or not answers:
            client.sendall(REQUEST)
            left = size
            while left:
                left -= client.recv_into(buffer, min(left, len(buffer)))
            answers += 1
        return answers / took


def _tape(folder, pieces, gap_ns):
    from tokentape import cassette

    path = Path(folder) / f"{pieces}.tape"
    section = cassette.Section(version=1, wall_ns=0, mono_ns=0, writer="benchmark", proxy="", host="")
    with cassette.Writer(path, section) as tape:
        tape.write(
            cassette.Request(
                exchange=0,
                t=0,
                t_end=0,
                method="GET",
                scheme="http",
                host="localhost",
                port=80,
                path=b"/stream",
                http_version="HTTP/1.1",
                headers=(),
                body=b"",
                connection="",
            )
        )
        headers = ((b"content-type", b"text/event-stream"),)
        tape.write(
            cassette.Response(
                exchange=0, t=0, status=200, reason=b"OK", http_version="HTTP/1.1", headers=headers
            )
        )
        for n in range(pieces + 1):
            tape.write(cassette.Chunk(exchange=0, t=FIRST_NS + n * gap_ns, data=_piece(n)))
        end = FIRST_NS + pieces * gap_ns
        tape.write(cassette.End(exchange=0, t=end, reason="complete", chunks=pieces + 1))
    return str(path)


def _piece(n):
    """As large as an event of a chat completion."""
    return b"data: %06d %b\n\n" % (n, b"x" * 180)


def _under_load(streams, spread_ns, gap_ns, *server):
    """Play streams of a server, begun evenly over `spread_ns`, and return its numbers and the client's."""
    with _Server(*server) as served:
        command = [
            sys.executable,
            __file__,
            "load",
            str(served.port),
            str(streams),
            str(spread_ns),
            str(gap_ns),
        ]
        seen = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return {**served.numbers, **json.loads(seen)}


class _Server:
    """A server in a process of its own; when it has been stopped, its numbers are there."""

    def __init__(self, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self):
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_):
        out, _ = self._process.communicate(timeout=30)  # the end of its input stops it
        self.numbers = json.loads(out)


async def _until_input_ends():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def _serve_replay(path, speed="1"):
    from tokentape.replay import Server, load

    repertoire = load(path, speed=speed)
    gc.collect()
    gc.freeze()  # as the command does
    async with Server(repertoire) as server:
        await server.start()
        print(server.address[1], flush=True)
        await _until_input_ends()
        late = server.stats.lateness
    numbers = {"p50_ms": late.p50_ns / 1e6, "p99_ms": late.p99_ns / 1e6, "max_ms": late.max_ns / 1e6}
    print(json.dumps({"pieces": late.pieces, **numbers}))


async def _serve_bare(answer):
    class Bare(asyncio.Protocol):
        def connection_made(self, transport):
            self._transport = transport
            self._head = b""

        def data_received(self, data):
            self._head += data
            while b"\r\n\r\n" in self._head:
                self._head = self._head.partition(b"\r\n\r\n")[2]
                self._transport.write(answer)

    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await _until_input_ends()
    server.close()
    print("{}")


async def _serve_sleeping():
    from aiohttp import web

    lateness = []
    pieces = [(FIRST_NS + n * GAP_NS, _piece(n)) for n in range(PIECES + 1)]

    async def stream(request):
        anchor = time.monotonic_ns()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for offset, data in pieces:
            due = anchor + offset
            await asyncio.sleep((due - time.monotonic_ns()) / 1e9)
            await response.write(data)
            lateness.append(time.monotonic_ns() - due)
        return response

    app = web.Application()
    app.router.add_get("/stream", stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await _until_input_ends()
    await runner.cleanup()
    print(json.dumps({"pieces": len(lateness), **_percentiles(lateness)}))


def _percentiles(lateness):
    ordered = sorted(lateness)
    at = {
        "p50_ms": ordered[len(ordered) // 2],
        "p99_ms": ordered[len(ordered) * 99 // 100],
        "max_ms": ordered[-1],
    }
    return {name: ns / 1e6 for name, ns in at.items()}


def _load(port, streams, spread_ns, gap_ns):
    """Read all streams in one thread; a stamp is taken when the system says that there is something."""
    clients, zeros, lateness, lasts = {}, {}, [], {}
    poll = select.epoll()
    for _ in range(streams):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(client, select.EPOLLIN)
        clients[client.fileno()] = client
    begun = time.monotonic_ns()
    for n, (fd, client) in enumerate(clients.items()):
        time.sleep(max(0, begun + n * spread_ns // streams - time.monotonic_ns()) / 1e9)
        zeros[fd] = time.monotonic_ns() + FIRST_NS
        client.sendall(REQUEST)
    running = streams
    while running:
        for fd, _ in poll.poll():
            now = time.monotonic_ns()
            data = clients[fd].recv(65536)
            late = [now - zeros[fd] - int(n) * gap_ns for n in re.findall(rb"data: (\d{6})", data)]
            if late:
                lateness += late
                lasts[fd] = late[-1]
            if not data or data.endswith(b"0\r\n\r\n"):
                poll.unregister(fd)
                running -= 1
    for client in clients.values():
        client.close()
    numbers = {f"client_{name}": value for name, value in _percentiles(lateness).items()}
    print(json.dumps({**numbers, "last_ms": statistics.median(lasts.values()) / 1e6}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve-replay", tape_path, *speed]:
            asyncio.run(_serve_replay(tape_path, *speed))
        case ["serve-bare", answer_path]:
            asyncio.run(_serve_bare(Path(answer_path).read_bytes()))
        case ["serve-sleeping"]:
            asyncio.run(_serve_sleeping())
        case ["load", *numbers]:
            _load(*map(int, numbers))
        case _:
            print(json.dumps(run(), indent=1))

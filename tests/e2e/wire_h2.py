"""One end of an HTTP/2 connection in the hands of the test, frame by frame."""

from collections import defaultdict, deque
from typing import Any

import h2.config
import h2.connection
import h2.events

from tests.e2e.wire import Peer

Fields = tuple[tuple[bytes, bytes], ...]


class H2Peer:
    """`next` gives what arrived on a stream, as a tuple that begins with its kind:

    `("headers", fields)`, `("data", bytes)`, `("trailers", fields)`, `("end",)`, `("reset", code)`. Ends of
    streams are told apart from the data before them. Nothing is checked or made nicer on the way.
    """

    def __init__(self, peer: Peer, *, client: bool) -> None:
        self.peer = peer
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=client,
                header_encoding=None,
                validate_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_inbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.h2.initiate_connection()
        self._arrived: defaultdict[int, deque[tuple[Any, ...]]] = defaultdict(deque)
        self._requests: deque[int] = deque()
        self.flush()

    def flush(self) -> None:
        self.peer.write(self.h2.data_to_send())

    def next(self, stream: int) -> tuple[Any, ...]:
        while not self._arrived[stream]:
            self._receive()
        return self._arrived[stream].popleft()

    def request(self) -> int:
        """Wait for a request and return its stream."""
        while not self._requests:
            self._receive()
        return self._requests.popleft()

    def ask(self, fields: Fields, body: bytes = b"") -> int:
        """Send a request and return its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=not body)
        self.flush()
        if body:
            self.data(stream, body, end=True)
        return stream

    def headers(self, stream: int, fields: Fields, *, end: bool = False) -> None:
        self.h2.send_headers(stream, fields, end_stream=end)
        self.flush()

    def data(self, stream: int, data: bytes, *, end: bool = False, padding: int | None = None) -> None:
        """Send data, in several frames if it does not fit in one, as the other side's window allows."""
        while True:
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if not size and data:
                self._receive()
                continue
            part, data = data[:size], data[size:]
            self.h2.send_data(stream, part, end_stream=end and not data, pad_length=padding)
            self.flush()
            if not data:
                return

    def reset(self, stream: int, code: int) -> None:
        self.h2.reset_stream(stream, code)
        self.flush()

    def close(self) -> None:
        self.peer.close()

    def _receive(self) -> None:
        arrived = self.peer.sock.recv(65536)
        assert arrived, "the connection ended"
        for event in self.h2.receive_data(arrived):
            match event:
                case h2.events.RequestReceived():
                    self._requests.append(event.stream_id)
                    self._put(event, "headers", tuple(map(tuple, event.headers)))
                case h2.events.ResponseReceived():
                    self._put(event, "headers", tuple(map(tuple, event.headers)))
                case h2.events.TrailersReceived():
                    self._put(event, "trailers", tuple(map(tuple, event.headers)))
                case h2.events.DataReceived():
                    if event.data or not event.stream_ended:
                        self._put(event, "data", event.data)
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self._put(event, "end")
                case h2.events.StreamReset():
                    self._put(event, "reset", event.error_code)
                case _:
                    pass
        self.flush()

    def _put(self, event: Any, *what: Any) -> None:
        self._arrived[event.stream_id].append(what)

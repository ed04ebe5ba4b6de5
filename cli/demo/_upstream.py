"""A model that needs no network: a reply in the shape of StepFun's documentation, over HTTP.

Every chunk has `role: ""`, `finish_reason: ""` until the last, and a cumulative `usage`; the gaps between
chunks are uneven, as they are where a model works. Text and gaps are the same in every run.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from random import Random

MODEL = "step-1-8k"
PROMPT = "为什么流式输出让人觉得更快？"
REPLY = (
    "流式输出并没有让模型算得更快，它只是让等待变得看得见。"
    "一段回答如果要四秒才能写完，整段返回时，读者要对着空白等四秒；逐字返回时，第一个字往往在几百毫秒之内就到了，"
    "人可以一边读，一边等后面的字。\n\n"
    "所以衡量它要看三个数字：第一个词元到达的时间，相邻两次到达之间的间隔，以及每个词元平均用掉的时间。"
    "第一个数字决定回答“开始得快不快”，第二个决定它“流得顺不顺”，第三个决定它“说得完要多久”。"
    "平均值会骗人：一次半秒的停顿，在平均值里几乎看不见，读的人却一定记得。\n\n"
    "把真实的数据流连同每一块到达的时刻一起录下来，问题就可以反复重现：同样的字节，同样的节奏，"
    "放慢了看，加快了测，换一个客户端再试一次。录音机不作评论，它只负责不忘记。"
)
_TTFT_S = 0.32
_PROMPT_TOKENS = 83


def chunks() -> list[str]:
    """Return the reply as the texts of its chunks, one to three characters each."""
    random = Random(8)  # noqa: S311  (the same cuts in every run)
    ends = list(accumulate(random.choices((1, 2, 3), (3, 5, 3), k=len(REPLY))))
    starts = [0, *ends]
    return [REPLY[start:end] for start, end in zip(starts, ends, strict=False) if start < len(REPLY)]


def _times_s(count: int) -> list[float]:
    """Return when each chunk is sent, from the request: mostly 5 to 30 ms apart, with three stalls."""
    random = Random(80)  # noqa: S311
    gaps = [random.lognormvariate(-4.35, 0.5) for _ in range(count - 1)]
    for stall in (31, 77, 120):
        gaps[stall] += 0.18
    return list(accumulate(gaps, initial=_TTFT_S))


def _events() -> list[bytes]:
    def event(text: str, finish: str, tokens: int) -> bytes:
        usage = {
            "prompt_tokens": _PROMPT_TOKENS,
            "completion_tokens": tokens,
            "total_tokens": _PROMPT_TOKENS + tokens,
        }
        payload = {
            "id": "00000000-0000-4000-8000-000000000000",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": MODEL,
            "choices": [{"index": 0, "delta": {"role": "", "content": text}, "finish_reason": finish}],
            "usage": usage,
        }
        return b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"

    texts = chunks()
    events = [event(text, "", tokens) for tokens, text in enumerate(texts, 1)]
    return [*events, event("", "stop", len(texts)), b"data: [DONE]\n\n"]


@contextmanager
def upstream() -> Iterator[str]:
    """Serve the reply to every POST on a free port of loopback; yields the URL."""
    events = _events()
    times_s = _times_s(len(events))

    class Model(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            start = time.monotonic()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            for due_s, event in zip(times_s, events, strict=True):
                time.sleep(max(0.0, start + due_s - time.monotonic()))
                if event is events[0]:
                    self.end_headers()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.write(b"0\r\n\r\n")

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # the demo was interrupted
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""What `cat` and `diff` say of a real recording is what was sent."""

import json
from collections import defaultdict

from tests.e2e.conftest import Session
from tests.e2e.processes import run
from tokentape import cassette


def test_every_text_that_was_sent_is_shown(session: Session):
    shown = run("cat", session.path).stdout
    for stream in session.streams.values():
        for text in filter(None, stream.texts.values()):
            assert text.split()[0][:9] in shown
    assert shown.count("\n#") + shown.startswith("#") == sum(map(len, session.exchanges.values()))


def test_json_lines_hold_every_event_and_its_text(session: Session):
    texts: dict[int, dict[int, str]] = defaultdict(lambda: defaultdict(str))
    counts: dict[int, int] = defaultdict(int)
    for line in run("cat", session.path, "--format", "jsonl").stdout.split("\n")[:-1]:
        event = json.loads(line)
        if "content" in event["kind"].split("+"):
            texts[event["exchange"]][event["choice"]] += event["text"]
        counts[event["exchange"]] += event["kind"] != "end"
    for name, exchanges in session.exchanges.items():
        stream = session.streams[name]
        for exchange in exchanges:
            said = {choice: text for choice, text in stream.texts.items() if text}
            assert not said or texts[exchange.number] == said, name
            assert counts[exchange.number] >= len(list(cassette.events(cassette.decoded(exchange)[0])))


def test_the_event_streams_are_those_that_were_sent(session: Session):
    def events(pieces: list[bytes]) -> list[tuple[str, str]]:
        return [(event.event, event.text) for event in cassette.events(pieces) if event.terminated]

    exchange = session.exchanges["gzip"][0]
    written = run("cat", session.path, "--format", "sse", "--exchange", str(exchange.number)).stdout
    assert events([written.encode()]) == events(cassette.decoded(exchange)[0])
    assert written.count("\n: +") >= len(events([written.encode()]))


def test_a_recording_differs_in_nothing_from_itself(session: Session):
    assert run("diff", session.path, session.path).stdout.endswith(" 0 different, 0 only in A, 0 only in B\n")

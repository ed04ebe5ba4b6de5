"""An error is of the choice that it came with, or of those that had not finished, or else of all."""

import json

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, recording

ERROR = b'data: {"error":{"message":"m"}}\n\n'


def text(index):
    return data(chunk({"content": "a"}, index=index))


def stop(index, reason="stop"):
    return data(chunk(finish=reason, index=index))


@pytest.mark.parametrize(
    ("pieces", "outcomes"),
    [
        ([text(0), text(1), stop(1, "error"), text(0), stop(0)], ["complete", "error-in-stream"]),
        ([text(0), text(1), stop(0), stop(1, "error")], ["complete", "error-in-stream"]),
        ([text(0), text(1), stop(0), ERROR], ["complete", "error-in-stream"]),
        ([text(0), text(1), ERROR], ["error-in-stream", "error-in-stream"]),
        ([text(0), ERROR, text(1), stop(1), stop(0)], ["error-in-stream", "error-in-stream"]),
        ([text(0), text(1), stop(0), stop(1), ERROR], ["error-in-stream", "error-in-stream"]),
        ([text(0), stop(0), ERROR], ["error-in-stream"]),
        ([text(0), stop(0), {**chunk({}, "stop"), "error": {"message": "m"}}], ["error-in-stream"]),
    ],
)
@pytest.mark.parametrize("end", [[], [DONE]])
def test_a_choice_that_finished_is_spared_if_another_had_not(tmp_path, pieces, outcomes, end):
    events = [data(each) if isinstance(each, dict) else each for each in pieces]
    timed = [((200 + 20 * at) * MS, event) for at, event in enumerate([*events, *end])]
    found = recording(tmp_path, timed)
    assert found.streams["outcome"].tolist() == outcomes
    assert found.exchanges["outcome"].tolist() == ["error-in-stream"]
    assert found.exchanges["error"].notna().all()
    complete = found.streams["outcome"] == "complete"
    assert (found.streams["e2e_ms"].notna() == complete).all()


def test_a_choice_of_an_answer_in_one_fails_alone(tmp_path):
    choices = [
        {"index": at, "message": {"content": "a"}, "finish_reason": reason}
        for at, reason in enumerate(["error", "stop"])
    ]
    body = json.dumps({"object": "chat.completion", "choices": choices}).encode()
    found = recording(tmp_path, [(MS, body)], content_type="application/json")
    assert found.streams["outcome"].tolist() == ["error-in-stream", "complete"]
    assert found.exchanges["error"].tolist() == ["finish_reason is 'error'"]

"""Who waits for what: equal requests that are asked at once each wait for a recording of their own."""

from tests.replay.recordings import exchange, post, tape
from tokentape.replay import Matching, load
from tokentape.replay._answering import Answering
from tokentape.replay._reply import Reply
from tokentape.replay.serving._requests import RequestReader


class Asked:
    """In the place of `Asking`: what was asked waits, and `comes` is what is recorded next."""

    stats = None

    def __init__(self):
        self.waiting = []
        self.comes = []

    def takes(self, *_):
        return True

    def refuses(self, _):
        return None

    def after_given_up(self, _):
        return None

    def ask(self, *_, is_recorded, answered):
        self.waiting.append(is_recorded)
        return Reply()

    def appended(self):
        found, self.comes = self.comes, []
        return found


def asking(path):
    asked = Asked()
    repertoire = load(path, speed="instant")
    answering = Answering(repertoire, matching=Matching(exhausted="error"), asking=asked)

    def ask(body):
        (request,) = RequestReader().feed(post(body))
        answering.reply_to(request)
        return asked.waiting[-1] if asked.waiting else None

    return asked, ask


def test_each_recording_ends_the_waiting_of_one_who_asked_for_it(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(body=b"known"))
    recorded = [
        load(tape(tmp_path / f"{number}.tape", exchange(number, body=b"new")), speed="instant").recorded[0]
        for number in range(4)
    ]
    asked, ask = asking(path)
    first, second, other = ask(b"new"), ask(b"new"), ask(b"other")
    assert not first()
    asked.comes = [recorded[0]]
    assert not other()
    assert second()
    assert not first()
    third = ask(b"new")  # what came before it was asked is not its own
    assert not third()
    asked.comes = [recorded[1]]
    assert first()
    assert not third()
    asked.comes = [recorded[2]]
    given_up = ask(b"new")  # takes it in, and it is the third's
    assert third()
    assert not given_up()
    asked.comes = [recorded[3]]  # nobody waits for that any more
    last = ask(b"new")
    assert not last()
    assert not other()

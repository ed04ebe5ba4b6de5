import threading

from tokentape.recorder._sync import Syncer


def test_what_is_written_is_synced_within_the_interval():
    synced = threading.Event()
    syncer = Syncer(synced.set, lambda _: None, interval_s=0.01)
    syncer.written()
    assert synced.wait(10)
    syncer.stop()


def test_soon_does_not_wait_for_the_interval():
    synced = threading.Event()
    syncer = Syncer(synced.set, lambda _: None, interval_s=3600)
    syncer.soon()
    assert synced.wait(10)
    syncer.stop()


def test_nothing_is_synced_while_nothing_is_written():
    calls = []
    syncer = Syncer(lambda: calls.append(1), lambda _: None, interval_s=0.0)
    syncer.stop()
    assert calls == []


def test_an_error_is_reported_once_and_ends_the_syncing():
    errors: list[OSError] = []
    reported = threading.Event()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    def report(error: OSError) -> None:
        errors.append(error)
        reported.set()

    syncer = Syncer(fail, report, interval_s=0.0)
    syncer.soon()
    assert reported.wait(10)
    syncer.soon()
    syncer.stop()
    assert [error.errno for error in errors] == [28]

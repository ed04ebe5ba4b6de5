import threading

from tokentape.recorder._sync import Syncer


def test_the_interval_syncs_unasked_again_and_again():
    synced = threading.Semaphore(0)
    syncer = Syncer(synced.release, lambda _: None, interval_s=0.001)
    for _ in range(3):
        assert synced.acquire(timeout=10)
    syncer.stop()


def test_soon_does_not_wait_for_the_interval():
    synced = threading.Event()
    syncer = Syncer(synced.set, lambda _: None, interval_s=3600)
    syncer.soon()
    assert synced.wait(10)
    syncer.stop()


def test_stopping_does_not_wait_for_the_interval_and_syncs_no_more():
    calls = []
    syncer = Syncer(lambda: calls.append(1), lambda _: None, interval_s=3600)
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

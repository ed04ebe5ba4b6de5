"""Cassettes on a Dask cluster: processes, sockets, and workers that die."""

import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from distributed import Client, KilledWorker, LocalCluster

from tests.analysis.dask.test_recording import TABLES, tapes
from tests.analysis.loading.test_parts import plain
from tests.analysis.tapes import DONE, records, write
from tests.analysis.test_load import damaged
from tests.e2e.processes import run, wait_until
from tests.terminals import on_a_terminal
from tokentape import analysis, cassette
from tokentape.analysis.dask import compare, connected, load

CASSETTES = 200


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    ) as started:
        yield started


@pytest.fixture
def client(cluster):
    with Client(cluster) as connection:
        yield connection


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tapes(tmp_path_factory.mktemp("many") / "tapes", count=CASSETTES)


@pytest.fixture(scope="module")
def whole(folder):
    return analysis.load(folder)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return tapes(tmp_path_factory.mktemp("few") / "tapes", count=60, seed=2)


@pytest.mark.once  # that it is so on every Python, the smaller folders below show
@pytest.mark.usefixtures("client")
def test_two_hundred_cassettes_are_summarised_by_processes_as_pandas_does(folder, whole):
    for gather_bytes, partitions in ((0, CASSETTES), (512 * 1024, 7)):  # 32 files of 16 KiB at least
        made = load(folder, gather_bytes=gather_bytes)
        assert made.streams.npartitions == partitions
        pd.testing.assert_frame_equal(made.summary("model_requested"), whole.summary("model_requested"))
        assert made.lost == whole.lost


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("gather_bytes", [0, 512 * 1024])
def test_tables_are_computed_by_processes_as_pandas_does(few, gather_bytes):
    made, whole = load(few, gather_bytes=gather_bytes), analysis.load(few)
    for name in TABLES:
        found = getattr(made, name).compute().reset_index(drop=True)
        pd.testing.assert_frame_equal(plain(found), plain(getattr(whole, name)))


@pytest.mark.usefixtures("client")
def test_recordings_are_compared_by_processes_as_pandas_does(few, tmp_path):
    other = tapes(tmp_path / "other", count=30, seed=3, slower=1.3)
    expected = analysis.compare(analysis.load(few), analysis.load(other))
    found = compare(load(few, gather_bytes=0), load(other))
    pd.testing.assert_frame_equal(found.quantiles, expected.quantiles)
    pd.testing.assert_frame_equal(found.effects, expected.effects)
    assert found.verdict == expected.verdict


AT_ONCE = """
import sys
from tokentape.progress import _bar
_bar.AFTER_S = 0
from tokentape.analysis.dask import connected, load
with connected(sys.argv[2]):
    load(sys.argv[1], gather_bytes=0).summary()
"""


def test_what_a_cluster_computes_has_a_bar_that_counts_its_tasks(few, cluster):
    command = (few, cluster.scheduler_address)
    shown, code = on_a_terminal(sys.executable, "-c", AT_ONCE, *map(str, command))
    assert code == 0
    assert b"reading cassettes" in shown
    counts = [tuple(map(int, each)) for each in re.findall(rb"(\d+)/(\d+)", shown)]
    assert max(total for _, total in counts) > 60  # a task for each cassette, and some that join them
    assert shown.endswith((b"\x1b[2K", b"\x1b[?25h"))


def a_worker(client):
    """The process of one of the workers."""
    return min(client.run(os.getpid).values())


def test_a_lost_worker_costs_a_retry_and_not_the_result(few, cluster, client):
    before = a_worker(client)
    tasks = cluster.scheduler.tasks
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(load(few, gather_bytes=0).summary, "model_requested")
        wait_until(lambda: any("condensed" in key for key in held(tasks)), "a part is condensed")
        os.kill(before, signal.SIGKILL)
        found = result.result(60)
    assert before not in client.run(os.getpid).values()
    pd.testing.assert_frame_equal(found, analysis.load(few).summary("model_requested"))


def held(tasks):
    """The names of tasks of which a worker holds the result."""
    return [str(key) for key, task in list(tasks.items()) if task.state == "memory"]


def test_tables_are_whole_though_a_worker_was_lost_while_it_wrote_them(few, client, tmp_path):
    victim = a_worker(client)
    out = tmp_path / "out"

    def kill():
        wait_until(lambda: list(tmp_path.glob(".out-*/streams.parquet/part-*")), "a part is written")
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    load(few, gather_bytes=0).to_parquet(out)
    killer.join(30)
    whole = analysis.load(few)
    assert os.listdir(tmp_path) == ["out"]
    for name in TABLES:
        found = pd.read_parquet(out / f"{name}.parquet")
        pd.testing.assert_frame_equal(plain(found), plain(getattr(whole, name)))
        assert len(os.listdir(out / f"{name}.parquet")) == 60


def analyze(cluster, *arguments, **options):
    return run("analyze", *arguments, "--scheduler", cluster.scheduler_address, check=False, **options)


def test_command_line_computes_on_the_cluster(few, cluster):
    pattern = str(few / "00*.tape")
    for more in (["--by", "model_requested"], ["--json"]):
        here = run("analyze", pattern, *more)
        there = analyze(cluster, pattern, *more)
        assert (there.stdout, there.stderr, there.returncode) == (here.stdout, "", 0)


def test_command_line_writes_tables_from_the_cluster_and_says_what_was_lost(cluster, tmp_path):
    hurt = [(5, b"data: {}\n\n"), (6, DONE)]
    damaged(write(tmp_path / "a.tape", records(hurt), records(hurt, exchange=1)), b"{}")
    options = ["--format", "parquet", "-o", tmp_path / "out"]
    result = analyze(cluster, tmp_path / "a.tape", *options)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.count("lost: ") == 2
    assert len(pd.read_parquet(tmp_path / "out" / "exchanges.parquet")) == 2
    result = analyze(cluster, tmp_path / "a.tape", *options)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "--overwrite" in result.stderr


def test_a_file_that_a_worker_cannot_read_is_one_line(cluster, tmp_path, monkeypatch):
    write(tmp_path / "here.tape", records([(5, DONE)]))
    monkeypatch.chdir(tmp_path)
    result = analyze(cluster, "here.tape")
    assert result.returncode == 1
    assert re.fullmatch(
        r"Error: here\.tape: expected a readable cassette: No such file or directory "
        r"\(on the worker at tcp://.*\)\n",
        result.stderr,
    )


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path):
    write(tmp_path / "a.tape", records([(5, DONE)]))
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        result = run("analyze", tmp_path / "a.tape", "--scheduler", address, check=False)
        assert result.returncode == 1
        assert result.stderr.startswith("Error: expected a Dask scheduler such as")
        assert (result.stderr.count("\n"), address in result.stderr) == (1, True)


def test_a_scheduler_without_workers_is_refused():
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(ConnectionError, match=r"expected workers.*found none in 0\.2 s"),
        connected(empty.scheduler_address, timeout_s=60, workers_timeout_s=0.2),
    ):
        pass


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ModuleNotFoundError("No module named 'tokentape'"), "expected tokentape.*No module named"),
        (RuntimeError("Error during deserialization of the task graph."), "expected tokentape"),
        (KilledWorker("part-7", "tcp://127.0.0.1:1", 3), "expected workers that live.*part-7"),
    ],
)
def test_what_is_wrong_with_the_cluster_is_said_as_that(cluster, error, says):
    with pytest.raises(ConnectionError, match=says), connected(cluster.scheduler_address):
        raise error


def test_other_errors_are_not_the_clusters(cluster):
    with pytest.raises(RuntimeError, match="mine"), connected(cluster.scheduler_address):
        raise RuntimeError("mine")


@pytest.mark.usefixtures("client")
def test_what_is_no_cassette_is_said_as_pandas_says_it(tmp_path):
    (tmp_path / "text.tape").write_text("no cassette")
    with pytest.raises(cassette.NotACassette, match="on the worker at"):
        load(tmp_path / "text.tape").summary()

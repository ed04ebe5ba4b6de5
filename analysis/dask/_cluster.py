"""A cluster that is there already, and what to say when it is not, or cannot read the cassettes."""

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, KilledWorker, get_worker

from tokentape.cassette import CassetteError

TIMEOUT_S = 10.0
"""For the scheduler to answer, and then for a worker to be there."""


@contextmanager
def connected(
    address: str, *, timeout_s: float = TIMEOUT_S, workers_timeout_s: float | None = None
) -> Iterator[Client]:
    """Compute on the cluster of the scheduler at this address, such as `tcp://10.0.0.7:8786`.

    Raises ConnectionError if there is none within `timeout_s`, or it has no worker within another
    `workers_timeout_s` (as long, if it is not said), and for what is wrong with the cluster and not with the
    cassettes: no tokentape there, or workers that die.
    """
    if workers_timeout_s is None:
        workers_timeout_s = timeout_s
    try:
        client = Client(address, timeout=timeout_s)
    except (OSError, ValueError) as error:  # among them TimeoutError
        reason = str(error).partition("\n")[0]
        raise ConnectionError(
            f"expected a Dask scheduler such as tcp://10.0.0.7:8786, found none at {address}: {reason}"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=workers_timeout_s)
        except TimeoutError:
            raise ConnectionError(
                f"expected workers at the Dask scheduler {address}, found none in {workers_timeout_s:g} s; "
                f"start one with: dask worker {address}"
            ) from None
        try:
            yield client
        except KilledWorker as error:
            raise ConnectionError(
                f"expected workers that live, and lost some over the same part of a cassette: {error.task}; "
                "they may have too little memory: choose smaller parts, or give each worker more"
            ) from None
        except (ModuleNotFoundError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "deserialization" not in str(error):
                raise
            raise ConnectionError(
                f"expected tokentape[dask] in the environment of the Dask cluster at {address}, of the same "
                f"version: {error.__cause__ or error}"
            ) from None


@contextmanager
def said_where() -> Iterator[None]:
    """Say on which worker a cassette could not be used, if this is one."""
    try:
        yield
    except CassetteError as error:
        try:
            address = get_worker().address
        except ValueError:  # no worker
            raise error from None
        raise type(error)(
            f"{error} (on the worker at {address}: each has to see the files under the names they have here)"
        ) from None

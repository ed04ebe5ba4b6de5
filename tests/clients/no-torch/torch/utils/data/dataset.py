from typing import Generic, TypeVar

T = TypeVar("T")


class IterableDataset(Generic[T]):
    """What has `__iter__`."""

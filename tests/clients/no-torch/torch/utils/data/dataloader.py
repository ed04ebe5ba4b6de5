from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class DataLoader(Generic[T]):
    """Iterates over a dataset as it is."""

    def __init__(self, dataset: Iterable[T], **_: Any) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[T]:
        return iter(self.dataset)

"""What guidellm and datasets ask of torch before the first request, and nothing more."""

from torch import utils

__all__ = ["Generator", "Tensor", "nn", "utils"]
__version__ = "0"


class Tensor:
    """Nothing is one."""


class Generator:
    """Prompts come in their order: there is nothing random."""

    def manual_seed(self, seed: int) -> None:
        pass


class nn:  # noqa: N801  (torch's name)
    class Module:
        """Nothing is one."""

"""Not PyTorch: a stand-in for the tests, with what guidellm and datasets import before the first request.

Nothing here computes. guidellm iterates over its prompts through a class of this name, and all that it
measures and computes is its own. Of anything else of torch's there is an AttributeError.
"""

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

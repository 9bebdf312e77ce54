"""Type of the targets."""

from typing import Any, TypeVar

Targets = TypeVar("Targets", bound=Any)  # arrays or tensors; PyTorch is not imported here

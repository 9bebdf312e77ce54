"""For all tests: one PyTorch thread, which is several times faster on tiny networks, and tiny data."""

import contextlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `from discovery import ...`

from discovery import HAS_TORCH, tiny_pairs, tiny_points

with contextlib.suppress(ImportError):
    import faiss  # noqa: F401  # loads a BLAS of its own, whose threads tests of others would find

if HAS_TORCH:
    import torch

    torch.set_num_threads(1)

    @pytest.fixture(autouse=True)
    def _seed():
        """Weights of modules that a test makes do not depend on the tests before it."""
        torch.default_generator.manual_seed(0)  # torch.manual_seed notes for other devices who called it: a millisecond


@pytest.fixture
def points():
    """X (45, 4) and y, three classes."""
    return tiny_points()


@pytest.fixture
def pairs():
    """Pairs (40, 2, 4) and y in {-1, +1}."""
    return tiny_pairs()

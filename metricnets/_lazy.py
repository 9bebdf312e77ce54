"""Public names of a package, imported when they are first used and typed for editors in its ``__init__.pyi``."""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Callable
from types import ModuleType

# Optional libraries: linear learners, metrics and protocols work without them
LIBRARIES = {
    "torch": 'PyTorch, which is not installed: pip install torch (PyTorch\'s page "Get started" has smaller builds)',
    "skorch": "skorch, which is not installed: pip install skorch",
    "matplotlib": "matplotlib, which is not installed: pip install 'metricnets[plot]'",
    "umap": "umap-learn, which is not installed: pip install umap-learn",
    "tqdm": "tqdm, which is not installed: pip install tqdm",
    "pandas": "pandas, which is not installed: pip install 'metricnets[pandas]'",
    "pyarrow": "pyarrow, which is not installed: pip install 'metricnets[arrow]'",
    "faiss": "FAISS, which is not installed: pip install 'metricnets[faiss]'",
    "safetensors": "safetensors, which is not installed: pip install 'metricnets[files]'",
    "onnx": "onnx, which is not installed: pip install 'metricnets[onnx]'",
    "PIL": "Pillow, which is not installed: pip install 'metricnets[images]'",
}


def needed(module: str, by: str) -> ModuleType:
    """Import a module; if it needs one of `LIBRARIES` that is missing, the error says that ``by`` needs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in LIBRARIES:
            raise
        raise ModuleNotFoundError(f"{by} needs {LIBRARIES[library]}.", name=library) from error


def attach(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` of a package from the imports in its stub.

    ``from metricnets.linear._lda import LDA as LDA`` in the stub, and no other line, makes ``LDA`` a name of the
    package, and ``from metricnets import metrics as metrics`` a module of it.  So ``LDA`` does not import PyTorch.
    """
    stub = ast.parse(pkgutil.get_data(package, "__init__.pyi"))
    home = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    def __getattr__(name):  # noqa: N807
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name] == package:
            return needed(f"{package}.{name}", name)
        value = getattr(needed(home[name], name), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__():  # noqa: N807
        return sorted({*vars(sys.modules[package]), *home})

    return __getattr__, __dir__, sorted(name for name in home if home[name] != package)

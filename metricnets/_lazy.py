"""Public names of a package, imported when they are first used and typed for editors in its ``__init__.pyi``."""

import ast
import importlib
import pkgutil
import sys


def attach(package):
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` of a package from the imports of its stub.

    ``from metricnets.linear._lda import LDA as LDA`` in the stub, and no other line, makes ``LDA`` a name of the
    package, and ``from metricnets import metrics as metrics`` a module of it.  So ``LDA`` costs no import of PyTorch.
    """
    stub = ast.parse(pkgutil.get_data(package, "__init__.pyi"))
    home = {alias.name: node.module for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    def __getattr__(name):  # noqa: N807
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name] == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(home[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__():  # noqa: N807
        return sorted({*vars(sys.modules[package]), *home})

    return __getattr__, __dir__, sorted(name for name in home if home[name] != package)

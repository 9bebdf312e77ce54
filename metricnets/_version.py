"""The versions of the package and of its dependencies."""

import importlib.metadata
import os
import platform
import sys

__version__ = "0.1.0"

LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "skorch",
    "joblib",
    "threadpoolctl",
    "tqdm",
    "pandas",
    "matplotlib",
    "pillow",
    "rich",
    "safetensors",
    "onnx",
    "umap-learn",
    "pytorch-metric-learning",
)


def show_versions() -> None:
    """Print the versions that a bug report should contain.

    These are the versions of Python, of this package, of its required and optional dependencies, and of the
    numerical libraries that are loaded, with their number of threads.

    Examples
    --------
    >>> import metricnets
    >>> metricnets.show_versions()  # doctest: +SKIP
    """
    sys.stdout.write(_listed("System", _system()))
    sys.stdout.write(_listed("Versions", {"metricnets": __version__} | {name: _installed(name) for name in LIBRARIES}))
    sys.stdout.write(_listed("Numerical libraries", _numerical_libraries()))


def _listed(title, entries):
    width = max(map(len, entries), default=0)
    return "\n".join([f"{title}:", *(f"  {name:>{width}}: {value}" for name, value in entries.items()), "", ""])


def _system():
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
        "processors": os.cpu_count(),
    }


def _installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _numerical_libraries():
    import sklearn.neighbors  # noqa: F401  (loads them)
    from threadpoolctl import threadpool_info

    return {
        os.path.basename(pool["filepath"]): ", ".join(
            f"{key} {pool[key]}" for key in ("version", "architecture", "num_threads") if pool.get(key)
        )
        for pool in threadpool_info()
    }

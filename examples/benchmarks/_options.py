"""Command line options of all benchmarks on published data."""

import argparse
import os
from pathlib import Path


def parser_of(doc, *, quick, seeds, n_seeds):
    """A parser with ``--data``, ``--quick``, ``--seeds`` and ``--jobs``; ``quick`` and ``seeds`` are words of help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("METRICNETS_DATA"), help="folder of the files")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--seeds", type=int, default=n_seeds, help=f"{seeds} (default: {n_seeds})")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    return parser


def folder_of(options, files):
    """The folder of the data; None, and a word of what to do, if it was not given."""
    if options.data is None:
        print(f"Nothing was measured: give --data DIR or METRICNETS_DATA, with {' and '.join(files)}.")
        return None
    return Path(options.data)

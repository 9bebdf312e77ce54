"""Import time: ``import metricnets`` and ``import sklearn``, and which statements import PyTorch.

Each statement runs in several new processes, in turns; the median is shown.
"""

import argparse
import statistics
import subprocess
import sys

STATEMENTS = [
    "import sklearn",
    "import metricnets",
    "from sklearn.discriminant_analysis import LinearDiscriminantAnalysis",
    "from metricnets import LDA, Covariance",
    "import torch, skorch",
    "from metricnets import DDML",
]
PROBE = "import sys, time; start = time.perf_counter(); {}; print(time.perf_counter() - start, 'torch' in sys.modules)"


def run(statement):
    """Seconds, and whether PyTorch was imported."""
    command = [sys.executable, "-c", PROBE.format(statement)]
    seconds, torch = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), torch == "True"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds instead of eleven")
    rounds = 3 if parser.parse_args().quick else 11
    runs = [[run(statement) for statement in STATEMENTS] for _ in range(rounds)]
    base = statistics.median(first[0] for first, *_ in runs)
    print(f"{'':70s}   seconds  / import sklearn   imports torch")
    for statement, results in zip(STATEMENTS, zip(*runs)):
        seconds = statistics.median(seconds for seconds, _ in results)
        print(f"{statement:70s} {seconds:9.3f}  {seconds / base:16.2f}   {'yes' if results[0][1] else 'no'}")

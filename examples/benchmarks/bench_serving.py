"""Serving: seconds until the first answer, latency of single rows, and rows a second in several threads.

The first table is of new processes: the import of what loads a file, loading, the first answer, and whether PyTorch was
imported.  The second is of single rows, one at a time in one thread: percentiles of ``transform``, of the function in
NumPy that ``get_metric()`` returns, of a pipeline and of ONNX, and what 4 threads that ask at once see.  The third is
of batches in 1, 2 and 4 threads.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, EmbeddingNet, save, to_onnx

START = """
import json, sys, time
start = time.perf_counter()
import numpy as np
from metricnets import load
imported = time.perf_counter()
served = load(sys.argv[1])
loaded = time.perf_counter()
x = np.ones((1, int(sys.argv[2])))
(served.transform if hasattr(served, "transform") else served.embed)(x)
first = time.perf_counter()
print(json.dumps([imported - start, loaded - imported, first - loaded, "torch" in sys.modules]))
"""


def served(n_features, n_rows=2000):
    """Fitted learners: a linear map, a network of the usual size, a pipeline."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_rows, n_features)), rng.integers(20, size=n_rows)
    net = EmbeddingNet(max_epochs=1, init="glorot", random_state=0).fit(X, y)
    return {
        "LDA": LDA().fit(X, y),
        "scaler and LDA": make_pipeline(StandardScaler(), LDA()).fit(X, y),
        "EmbeddingNet": net,
        "get_metric() of it": net.get_metric(),
    }


def starts(learners, n_features, rounds, folder):
    """A line for each file: medians over new processes."""
    print("new process, seconds   import     load    first answer   imports PyTorch")
    for name, learner in learners.items():
        save(learner, folder / "file")
        command = [sys.executable, "-c", START, str(folder / "file"), str(n_features)]
        runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(rounds)]
        times = np.median([run[:3] for run in runs], axis=0)
        print(f"{name:20s}{times[0]:9.2f}{times[1]:9.3f}{times[2]:16.4f}   {'yes' if runs[0][3] else 'no'}", flush=True)


def embedders(learners, X, folder):
    """Functions that embed rows, by name; ONNX if there is a runtime."""
    found = {}
    for name, learner in learners.items():
        embed = getattr(learner, "transform", None) or learner.embed
        found[name] = embed
        if name == "EmbeddingNet":
            found[f"{name}, float32"] = lambda rows, embed=embed: embed(rows.astype(np.float32))
            to_onnx(learner, folder / "graph")
    try:
        import onnxruntime
    except ImportError:
        return found
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "graph"), options, providers=["CPUExecutionProvider"])
    found["ONNX of it"] = lambda rows: session.run(["Z"], {"X": rows.astype(np.float32)})[0]
    return found


def latencies(embed, X, n_calls):
    """Milliseconds of calls of single rows."""
    times = np.empty(n_calls)
    for i in range(n_calls):
        row, start = X[i % len(X)][None], time.perf_counter()
        embed(row)
        times[i] = time.perf_counter() - start
    return 1e3 * times


def in_threads(work, n_threads):
    """Seconds until all of the threads have done the work once, and what they return."""
    with ThreadPoolExecutor(n_threads) as pool:
        start = time.perf_counter()
        found = [run.result() for run in [pool.submit(work) for _ in range(n_threads)]]
        return time.perf_counter() - start, found


def main(n_features, n_calls, rounds, batch):
    """Print the tables."""
    warnings.simplefilter("ignore")
    learners, X = served(n_features), np.random.default_rng(1).normal(size=(batch, n_features))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        starts(learners, n_features, rounds, folder)
        functions = embedders(learners, X, folder)
        print(f"\nsingle rows of {n_features} features, ms     p50      p99    4 threads: p50      p99   rows a second")
        for name, embed in functions.items():
            alone = "".join(f"{ms:10.3f}" for ms in np.percentile(latencies(embed, X, n_calls), [50, 99]))
            seconds, times = in_threads(lambda e=embed: latencies(e, X, n_calls), 4)
            at_once = "".join(f"{ms:10.3f}" for ms in np.percentile(times, [50, 99]))
            print(f"{name:30s}{alone}        {at_once}{4 * n_calls / seconds:15.0f}", flush=True)
        print(f"\nbatches of {batch}, thousand rows a second   1 thread   2 threads   4 threads")
        for name, embed in functions.items():
            n_batches, rates = max(1, 40_000 // batch), []
            for n_threads in (1, 2, 4):
                seconds, _ = in_threads(lambda e=embed, n=n_batches: [e(X) for _ in range(n)], n_threads)
                rates.append(n_threads * n_batches * batch / seconds / 1e3)
            print(f"{name:35s}" + "".join(f"{rate:12.0f}" for rate in rates), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few calls")
    options = parser.parse_args()
    main(*((64, 50, 1, 1000) if options.quick else (128, 1000, 3, 1000)))

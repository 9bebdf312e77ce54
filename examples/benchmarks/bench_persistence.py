"""Files of fitted estimators: sizes, seconds, and what thousands of wrong files do.

The first table compares files of ``save`` with the arrays in them, files of joblib and graphs of ``to_onnx``, of
learners fitted to made points; seconds are the median of several calls, file system included.  A line says how much
memory ``save`` takes for a large array.  The second table counts what
``load`` does with files of tiny learners of which bytes were changed, lost or put in, and with files whose checksum is
right and whose content is not.
"""

import argparse
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from discovery import fitted
from saved_files import Watch, changed_bytes, changed_content, read, write

from metricnets import LDA, Covariance, EmbeddingNet, load, save, to_onnx
from metricnets.exceptions import SavedFileError

LEARNERS = {
    "Covariance": Covariance(),
    "LDA and nearest neighbours": make_pipeline(StandardScaler(), LDA(), KNeighborsClassifier()),
    "EmbeddingNet": EmbeddingNet(hidden=(512,), max_epochs=1, random_state=0),
    "EmbeddingNet, three networks": EmbeddingNet(hidden=(512,), n_networks=3, max_epochs=1, random_state=0),
}
TINY = ["LDA", "OASIS", "DDML", "MLKNN"]
POINTS = np.eye(4)
WATCH = Watch()  # of files that are written, processes, connections


def seconds(call, n=7):
    """The median time of a call."""
    times = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def sizes_and_times(name, learner, folder):
    """A line of the first table."""
    ours, theirs, graph = folder / "ours", folder / "theirs", folder / "graph"
    times = [seconds(lambda: save(learner, ours)), seconds(lambda: load(ours))]
    times += [seconds(lambda: joblib.dump(learner, theirs)), seconds(lambda: joblib.load(theirs))]
    arrays = sum(array.nbytes for array in read(ours)[1].values())
    sizes = [arrays, ours.stat().st_size, theirs.stat().st_size]
    if not isinstance(learner, Pipeline):
        to_onnx(learner, graph)
        sizes.append(graph.stat().st_size)
    mb = [f"{size / 1e6:9.2f}" for size in sizes] + ["        –"] * (4 - len(sizes))
    return f"{name:34s}{mb[0]}{mb[1]}{sizes[1] / arrays:8.3f}{mb[2]}{mb[3]}" + "".join(f"{1e3 * t:8.1f}" for t in times)


def memory_of_save(n_bytes, path):
    """MB that ``save`` takes besides an array of so many bytes."""
    metric = Covariance()
    metric.components_ = np.ones((n_bytes // 8000, 1000))
    tracemalloc.start()
    save(metric, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def outcome(path):
    """What a load did: the kind of error, or whether what was loaded can be used; or what it did to the system."""
    with WATCH as done:
        found = loaded_or_refused(path)
    if done:
        found = f"ACTED, {done[0]}"
        done.clear()
    return found


def loaded_or_refused(path):
    """What a load did, by its error."""
    try:
        loaded = load(path)
    except SavedFileError as error:
        return f"refused, {type(error.__cause__).__name__}"
    except BaseException as error:
        return f"ANOTHER ERROR, {type(error).__name__}: {error}"
    try:
        repr(loaded), (loaded.predict if hasattr(loaded, "predict") else loaded.transform)(POINTS)
    except Exception:
        return "loaded, an error when it is used"
    return "loaded, can be used"


def wrong_files(name, n_files, folder):
    """How many of the changed files of a tiny learner had which outcome; bytes changed, then the content."""
    path, counts = folder / "wrong", {"bytes": Counter(), "content": Counter()}
    save(fitted(name), path)
    data, (content, arrays) = path.read_bytes(), read(path)
    for seed in range(n_files):
        path.write_bytes(changed_bytes(data, seed))
        counts["bytes"][outcome(path)] += 1
        write(path, *changed_content(content, arrays, seed))
        counts["content"][outcome(path)] += 1
    return counts


def main(n_rows, n_features, n_files, n_bytes):
    """Print both tables, and the memory of ``save``."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n_rows, n_features)), rng.integers(20, size=n_rows)
    print(
        f"{n_rows} × {n_features}; MB of the arrays, the file, their ratio, joblib, ONNX; ms of save, load, dump, load"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for label, learner in LEARNERS.items():
            learner.fit(X, y)
            print(sizes_and_times(label, learner, folder), flush=True)
        print(sizes_and_times("get_metric() of the last", learner.get_metric(), folder), flush=True)
        peak = memory_of_save(n_bytes, folder / "large")
        print(f"\nsave of an array of {n_bytes / 1e6:.0f} MB takes {peak:.2f} MB besides")
        total = {"bytes": Counter(), "content": Counter()}
        for name in TINY:
            for kind, counts in wrong_files(name, n_files // len(TINY), folder).items():
                total[kind] += counts
    for kind, counts in total.items():
        print(f"\n{counts.total()} files with other {kind}")
        print("\n".join(f"{count:8d}  {what}" for what, count in counts.most_common()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--files", type=int, default=10000, help="number of wrong files of either kind (default: 10000)"
    )
    parser.add_argument("--quick", action="store_true", help="small learners and 400 files of either kind")
    options = parser.parse_args()
    main(*((500, 64, 400, 10**7) if options.quick else (4000, 512, options.files, 10**9)))

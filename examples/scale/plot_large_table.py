"""
A table that needs more memory than its fit
===========================================

How much memory does a fit take beside a table in a file?  It is measured for tables of up to two million rows, of
which the largest takes 256 MB in the file, and would take twice as much in double precision.
"""

import tempfile
import tracemalloc

import matplotlib.pyplot as plt
import numpy as np

from metricnets import DDML, LDA
from metricnets.datasets import Batches

# %%
# The file is written a batch at a time, and mapped to memory, so that rows are read when they are needed.

folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(0)
n, n_features, n_batch = 2**21, 32, 2**15
y, centers = rng.integers(0, 10, n), rng.normal(size=(10, n_features))
X = np.lib.format.open_memmap(f"{folder.name}/points.npy", "w+", np.float32, (n, n_features))
batches = [slice(start, start + n_batch) for start in range(0, n, n_batch)]
for rows in batches:
    X[rows] = centers[y[rows]] + rng.standard_normal((n_batch, n_features), np.float32) * np.linspace(1, 4, n_features)

# %%
# ``fit`` takes the file as it is, and ``partial_fit`` one batch after another; both give the same metric.  The
# memory is the most that NumPy has allocated at a time.


def peak(method, batches):
    """Memory of a method of a learner, in MB, the largest of all batches."""
    tracemalloc.start()
    for rows in batches:
        method(X[rows], y[rows])
    most = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return most


sizes, memory = 2 ** np.arange(16, 22), []
for m in sizes:
    whole, parts = LDA(), LDA()
    memory.append((peak(whole.fit, [slice(m)]), peak(parts.partial_fit, batches[: m // n_batch])))
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.plot(sizes / 1e6, sizes * n_features * 8 / 1e6, ":", color="0.4", label="the table in double precision")
axes.plot(sizes / 1e6, memory, "o-", label=["fit", "partial_fit"])
axes.set(xlabel="million rows", ylabel="MB", title="Memory of LDA")
axes.legend()

# %%
# Only tables up to 256 MB in double precision are copied.  Networks also take tables that are stored in batches.

table = Batches([X[rows] for rows in batches[:2]])
DDML(max_epochs=1, batch_size=512, random_state=0).fit(table, y[: len(table)])
folder.cleanup()

"""Write ``format_1.safetensors``, of format 1, which all later versions read: ``persistence/test_formats.py``.

It was written once, by version 0.1.0, and stays as it is.  A new format gets a file and a script of its own.
"""

from pathlib import Path

import numpy as np

from metricnets import DDML, Covariance, metric_learn, save

PATH = Path(__file__).parent / "persistence" / "format_1.safetensors"
X = np.random.default_rng(0).normal(size=(16, 3))


def learners():
    """A network with its distance, a stream, a learner that is not fitted, and values of several kinds."""
    net = DDML(
        hidden=(2,), n_components=2, activation="tanh", normalize=False, init="glorot", max_epochs=1, random_state=0
    )
    net.fit(X, np.arange(16) % 2)
    stream = Covariance().partial_fit(X[:8])
    values = [1, (2.5, None), {"a": frozenset({3})}, np.log, np.array(["x", None], object), float("inf"), 10**30]
    return [net, net.get_metric(), stream, metric_learn.RCA(preprocessor=values)]


if __name__ == "__main__":
    save(learners(), PATH)

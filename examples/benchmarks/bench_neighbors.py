"""Recall, speed and memory of searches for nearest neighbours among a million samples, behind a learned metric.

Samples are made: 1,000 classes in 64 features, half of which are noise.  ``LDA`` learns a metric from some of them, and
each search makes the graph of neighbours of its embeddings.  Recall is the share of the ten nearest samples, by
scikit-learn's exact search, that are found, and 1-NN the accuracy of one nearest neighbour.  Seconds are those of a
processor; pynndescent, if it is installed, compiles its functions in its first row.
"""

import time

import numpy as np
from _options import parser_of
from _tables import show
from sklearn.neighbors import KNeighborsTransformer

from metricnets import LDA, FaissKNeighborsTransformer
from metricnets.metrics import neighbor_scores

K = 10


def made(n, seed):
    """Samples (n, 64) in single precision, and their classes."""
    rng = np.random.default_rng(0)
    means = np.hstack([rng.normal(size=(1000, 32)), np.zeros((1000, 32))])
    rng = np.random.default_rng(seed)
    y = rng.integers(len(means), size=n)
    X = rng.normal(size=(n, 64)).astype(np.float32) * np.repeat([0.8, 3], 32).astype(np.float32)
    X += means[y]
    return X, y


def searches():
    """Search steps by name, of pynndescent too if it is installed."""
    found = {
        "scikit-learn, exact": KNeighborsTransformer(n_neighbors=K, algorithm="brute"),
        "FAISS, Flat": FaissKNeighborsTransformer(n_neighbors=K, factory="Flat"),
        "FAISS, IVF4096,Flat, nprobe=32": FaissKNeighborsTransformer(
            n_neighbors=K, factory="IVF4096,Flat", search_params={"nprobe": 32}, random_state=0
        ),
        "FAISS, HNSW32": FaissKNeighborsTransformer(n_neighbors=K, factory="HNSW32"),
        "FAISS, HNSW32, efSearch=128": FaissKNeighborsTransformer(
            n_neighbors=K, factory="HNSW32", search_params={"efSearch": 128}
        ),
    }
    try:
        from pynndescent import PyNNDescentTransformer

        for name, params in {"": {}, ", search_epsilon=0.3": {"search_epsilon": 0.3}}.items():
            found[f"pynndescent{name}"] = PyNNDescentTransformer(n_neighbors=30, n_jobs=1, random_state=0, **params)
    except ImportError:
        print("pynndescent is not installed: its row is left out.")
    return found


def neighbors_of(graph):
    """The ten nearest samples of those found, (n_queries, K), the nearest first."""
    parts = zip(np.split(graph.indices, graph.indptr[1:-1]), np.split(graph.data, graph.indptr[1:-1]))
    return np.array([indices[np.argsort(distances, kind="stable")][:K] for indices, distances in parts])


def main():
    parser = parser_of(__doc__, quick="50,000 samples, 200 queries", seeds="seed", n_seeds=1)
    parser.add_argument("--only", default="", help="searches whose name has this, beside the exact one")
    parser.add_argument("--rows", type=int, help="samples (default: 1,000,000)")
    options = parser.parse_args()
    n, n_queries = (50_000, 200) if options.quick else (options.rows or 1_000_000, 2000)
    (X, y), (Q, labels) = made(n, 1), made(n_queries, 2)
    metric = LDA(n_components=32).fit(X[:100_000], y[:100_000])
    z, queries = metric.transform(X), metric.transform(Q)
    rows, exact = {}, None
    for name, search in searches().items():
        if exact is not None and options.only not in name:
            continue
        start = time.process_time()
        search.fit(z).transform(queries[:1])  # pynndescent prepares its search at the first query
        ready = time.process_time()
        near = neighbors_of(search.transform(queries))
        speed = n_queries / (time.process_time() - ready)
        exact = near if exact is None else exact
        recall = np.mean([len(np.intersect1d(*pair)) / K for pair in zip(near, exact)])
        accuracy = neighbor_scores(near, labels, y, k=1)["cmc"]
        rows[name] = [f"{recall:.3f}", f"{accuracy:.3f}", f"{ready - start:.0f}", f"{speed:.0f}"]
    show(f"{n:,} samples", ["recall", "1-NN", "s to build", "queries a s"], rows)


if __name__ == "__main__":
    main()

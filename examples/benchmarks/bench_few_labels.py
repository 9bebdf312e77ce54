"""An adapter for embeddings or descriptors that somebody else computed, over the number of labelled samples per class.

2, 5, 10 and 20 samples of each class are drawn from the training part of a data set, and its test part is judged by
nearest neighbours among them: the mean accuracy of 1-NN and kNN(3).  Points are centred and divided by one scale, both
of the labelled samples.  ``adapter`` is the documented call for this case, a correction of low rank that starts at
principal components; ``wccn`` is the default start.  Logistic regression, which is no metric, classifies by itself.
A learner is marked where it is below no metric.  ``--plot FILE`` draws the curves.

Run ``python bench_few_labels.py --data DIR``, or set METRICNETS_DATA.  ``--made`` fits the adapter to 100,000 made
points of 768 features instead, and prints the seconds and the memory.
"""

import resource
import time
import warnings

import numpy as np
from _datasets import few_of_each, floating, load
from _options import folder_of, parser_of
from _tables import show
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

import metricnets as mn

FILES = {
    "banking77": "banking77_minilm.npz",
    "news20": "news20_w1000.npz",
    "lfw": "lfw_view2_lbp_pca500.npz",
    "surf": "office_caltech10_surf.npz",
    "wikipedia": "wikipedia.npz",
    "uspst": "uspst.npz",
}
COUNTS = (2, 5, 10, 20)
N_IMAGES = 8  # of a person of lfw, at least; at most 14, so that 10 and 20 are all that there are
N_TESTED = 3000  # samples that are judged, at most
ADAPTER = {"init": "identity", "loss": "npair", "n_components": 256, "hidden": (32,), "activation": "identity"}
METRICS = {
    "raw": lambda seed: FunctionTransformer(),
    "LDA": lambda seed: mn.LDA(solver="eigen", shrinkage="auto"),
    "triplet": lambda seed: mn.EmbeddingNet(random_state=seed),
    "N-pair": lambda seed: mn.EmbeddingNet(loss="npair", random_state=seed),
    "adapter": lambda seed: mn.EmbeddingNet(**ADAPTER, random_state=seed),
}
LEARNERS = [*METRICS, "logistic"]


def read(name, folder):
    """Points, classes, rows to draw from and rows to judge."""
    if name in ("surf", "wikipedia", "uspst"):
        X, y, _ = load(name, folder)
        return X, y, *split(y)
    with np.load(folder / FILES[name]) as file:
        X, y = floating(file["X"]), file["person" if name == "lfw" else "y"]
        if name != "lfw":
            return X, y, file["train"], file["test"]
    often = np.bincount(y)[y] >= N_IMAGES
    return X[often], y[often], *split(y[often])


def split(y):
    """Seven in ten rows to draw from, and the others."""
    return train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=0)


def scores(X, y, pool, test, count, seed):
    """Per cent of each learner with ``count`` labelled samples of each class."""
    train, test = few_of_each(y, seed, pool=pool, test=test, n_per_class=count)
    test = np.random.default_rng(seed).permutation(test)[:N_TESTED]
    center = X[train].mean(axis=0)
    points, unseen = X[train] - center, X[test] - center
    scale = np.sqrt((points**2).mean())
    points, unseen = points / scale, unseen / scale
    found = [judged(make(seed), points, y[train], unseen, y[test]) for make in METRICS.values()]
    classifier = LogisticRegression(C=10, max_iter=1000).fit(points / norms(points), y[train])
    return [*found, 100 * classifier.score(unseen / norms(unseen), y[test])]


def norms(X):
    return np.linalg.norm(X, axis=1, keepdims=True).clip(1e-12)


def judged(metric, X, y, X_test, y_test):
    z, z_test = metric.fit(X, y).transform(X), metric.transform(X_test)
    return np.mean([100 * KNeighborsClassifier(k).fit(z, y).score(z_test, y_test) for k in (1, 3)])


def show_curves(results):
    """Print a table of means and deviations over draws for each data set, {name: (counts, draws, learners)}."""
    for name, found in results.items():
        means, deviations = found.mean(axis=1), found.std(axis=1)
        rows = {
            f"{count} a class": [
                f"{m:.1f} ± {s:.1f}{'!' if m < of_count[0] else ' '}" for m, s in zip(of_count, of_deviations)
            ]
            for count, of_count, of_deviations in zip(COUNTS, means, deviations)
        }
        show(f"{name}: per cent; !: below no metric", LEARNERS, rows, least=12)


def plot(results, path):
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("--plot needs matplotlib; install it with: pip install 'metricnets[plot]'") from None
    figure, axes = plt.subplots(2, 3, figsize=(10, 6), layout="constrained")
    for ax, (name, found) in zip(axes.flat, results.items()):
        for j, learner in enumerate(LEARNERS):
            ax.errorbar(COUNTS, found[..., j].mean(axis=1), found[..., j].std(axis=1), label=learner, capsize=2)
        ax.set(title=name, xscale="log", xlabel="labelled samples per class", ylabel="accuracy, per cent")
        ax.set_xticks(COUNTS, COUNTS)
        ax.minorticks_off()
    axes.flat[0].legend()
    figure.savefig(path)


def fit_made(n, n_features):
    """Fit the adapter to points of many classes with correlated features; print what it took."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 1000
    basis = rng.normal(size=(100, n_features)).astype(np.float32)
    X = rng.normal(size=(1000, 100)).astype(np.float32)[y] @ basis
    for part in np.array_split(np.arange(n), 100):
        X[part] += rng.normal(size=(len(part), 100)).astype(np.float32) @ basis
    metric = mn.EmbeddingNet(**ADAPTER, random_state=0)
    metric.fit(X[:300], y[:300] % 10)  # loads PyTorch
    print(f"{n} x {n_features}, a table of {X.nbytes / 2**20:.0f} MB, {metric.max_epochs} epochs:")
    for name in ("fit", "transform"):
        before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        metric.fit(X, y) if name == "fit" else metric.transform(X)
        added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"{name:9s} {time.process_time() - begin:6.1f} CPU s, {added:4.0f} MB added", flush=True)


def main():
    parser = parser_of(__doc__, quick="one draw of two sets", seeds="draws of the labelled samples", n_seeds=3)
    parser.add_argument("--plot", metavar="FILE", help="picture of the curves")
    parser.add_argument("--made", action="store_true", help="time and memory on 100,000 made points")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of few rows for many features
    if options.made:
        return fit_made(10_000 if options.quick else 100_000, 768)
    if (folder := folder_of(options, FILES.values())) is None:
        return None
    results = {}
    for name in list(FILES)[:2] if options.quick else FILES:
        data = read(name, folder)
        draws = range(1 if options.quick else options.seeds)
        results[name] = np.array([[scores(*data, count, seed) for seed in draws] for count in COUNTS])
        show_curves({name: results[name]})
    if options.plot:
        plot(results, options.plot)
    return None


if __name__ == "__main__":
    main()

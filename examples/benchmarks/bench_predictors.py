"""Predictors on top of a metric: none of the known classes, probabilities of pairs, outliers.

``open``: 20 of the 77 intents of banking77 are not in training.  The area under the ROC curve tells questions of known
intents from theirs, in the official test part.  Metric and score are chosen on training intents: 20 of them, and a
quarter of the questions of the others, are held out.
``pairs``: the expected calibration error of ``predict_proba`` on pairs half of which are similar: test questions of
intents in training, questions of the others, and test questions of both.  Probabilities are fitted to training pairs,
or to pairs of training intents that are held out in five folds.  Rows with 1 % have that prior, and that share of
similar pairs.
``verification``: LFW View 2 with KISSME, probabilities fitted to its training pairs or to a fold that is held back.
``outliers``: one digit is not in training.

Run ``python bench_predictors.py --data DIR``, or set METRICNETS_DATA.  ``--quick`` leaves out networks.
"""

import warnings

import numpy as np
from _datasets import floating, load
from _options import folder_of, parser_of
from _tables import show
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import metricnets as mn
from metricnets.metrics import expected_calibration_error

N_UNSEEN, N_PAIRS, N_FOLDS, N_LFW = 20, 6000, 5, 10
ADAPTER = {"init": "identity", "loss": "npair", "n_components": 256, "hidden": (32,), "activation": "identity"}
METRICS = {
    "raw": lambda seed: None,
    "LDA": lambda seed: mn.LDA(solver="eigen", shrinkage="auto", n_components=30),
    "adapter": lambda seed: mn.EmbeddingNet(**ADAPTER, random_state=seed),
}
N_NEIGHBORS = 1, 3, 5
METHODS = "gamma", "sigmoid", "isotonic"


def banking(folder):
    with np.load(folder / "banking77_minilm.npz") as file:
        return floating(file["X"]), file["y"], file["train"], file["test"]


# ---- none of the known classes


def areas(metric, X, y, queries, known):
    """Area under the curve of the scores of OpenSetKNN, with a metric that is fitted; others than 'kernel' by hand."""
    z, z_new = (points if metric is None else metric.transform(points) for points in (X, queries))
    of_classes = [euclidean_distances(z_new, z[y == label]) for label in np.unique(y)]
    model = mn.OpenSetKNN(rejection_rate=0).fit(z, y)
    found = {("kernel", N_NEIGHBORS[-1]): roc_auc_score(known, model.score_samples(z_new))}
    for k in N_NEIGHBORS:
        parts = [np.partition(d, min(k, d.shape[1]) - 1, axis=1)[:, :k].mean(axis=1) for d in of_classes]
        nearest, second = np.sort(parts, axis=0)[:2]
        found["distance", k] = roc_auc_score(known, -nearest)
        found["relative", k] = roc_auc_score(known, -(nearest**2) / second)
    return found


def fitted(name, X, y, seed):
    metric = METRICS[name](seed)
    return metric if metric is None else metric.fit(X, y)


def open_set(X, y, train, test, seed, names):
    """Areas under the curve per cent: the nearest neighbour, every metric with its chosen score, the choice of all."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.unique(y))
    unseen, held = classes[:N_UNSEEN], classes[N_UNSEEN : N_UNSEEN + N_UNSEEN]
    train = rng.permutation(train[~np.isin(y[train], unseen)])
    known = ~np.isin(y[test], unseen)
    aside = np.isin(y[train], held) | (np.arange(len(train)) % 4 == 0)
    inner, outer = train[~aside], train[aside]
    tuned, final = {}, {}
    for name in names:
        metric = fitted(name, X[inner], y[inner], seed)
        found = areas(metric, X[inner], y[inner], X[outer], ~np.isin(y[outer], held))
        tuned |= {(name, *key): value for key, value in found.items()}
        metric = fitted(name, X[train], y[train], seed)
        found = areas(metric, X[train], y[train], X[test], known)
        final |= {(name, *key): value for key, value in found.items()}
    chosen = max(tuned, key=tuned.get)
    rows = {"nearest neighbour": final["raw", "distance", 1], "raw, relative": final["raw", "relative", 5]}
    rows["raw, defaults"] = final["raw", "kernel", 5]
    rows["chosen"] = final[chosen]
    for name in names:
        of_name = {key: value for key, value in tuned.items() if key[0] == name}
        rows[f"{name}, chosen score"] = final[max(of_name, key=of_name.get)]
    print(f"  draw {seed}: chosen {chosen}, {100 * final[chosen]:.2f}", flush=True)
    return {key: 100 * value for key, value in rows.items()}


# ---- probabilities of pairs


def pairs_of(y, rows, rng, n=N_PAIRS):
    """Pairs of rows, half of them similar, as row numbers, and whether they are."""
    drawn = rng.choice(rows, size=(150 * n, 2))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    same = y[drawn[:, 0]] == y[drawn[:, 1]]
    drawn = np.vstack([drawn[same][: n // 2], drawn[~same][: n // 2]])
    return drawn, y[drawn[:, 0]] == y[drawn[:, 1]]


def distances(metric, X, pairs):
    z = X if metric is None else metric.transform(X)
    return np.linalg.norm(z[pairs[:, 0]].astype(float) - z[pairs[:, 1]], axis=1)


def calibrated(d, same, method="gamma", prior=None):
    """Distances are pairs of numbers on a line, to which PairsClassifier is fitted."""
    model = mn.PairsClassifier().fit(on_line(d), same)
    return model.calibrate_proba(on_line(d), same, method=method, prior=prior)


def on_line(d):
    return np.stack([np.zeros_like(d), d], axis=1)[:, :, None]


def probabilities(X, y, train, test, seed, name):
    """Errors of probabilities fitted to training pairs, and to pairs of classes held out in turn."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.unique(y))
    unseen, seen = classes[:N_UNSEEN], classes[N_UNSEEN:]
    train = train[np.isin(y[train], seen)]
    metric, d, same = fitted(name, X[train], y[train], seed), [], []
    for part in np.array_split(seen, N_FOLDS):
        rest, held = train[~np.isin(y[train], part)], train[np.isin(y[train], part)]
        pairs, similar = pairs_of(y, held, rng)
        d.append(distances(fitted(name, X[rest], y[rest], seed), X, pairs))
        same.append(similar)
    pairs, similar = pairs_of(y, train, rng)
    models = {"training pairs": calibrated(distances(metric, X, pairs), similar)}
    models |= {f"classes held out, {m}": calibrated(*map(np.concatenate, (d, same)), m) for m in METHODS}
    rare = calibrated(*map(np.concatenate, (d, same)), prior=0.01)
    tested = {"seen": test[np.isin(y[test], seen)], "unseen": np.flatnonzero(np.isin(y, unseen)), "both": test}
    found = {}
    for where, rows in tested.items():
        pairs, similar = pairs_of(y, rows, rng)
        d = on_line(distances(metric, X, pairs))
        for key, model in models.items():
            found[key, where] = expected_calibration_error(similar, model.predict_proba(d)[:, 1])
        few = rng.random(len(d)) < np.where(similar, 1 / 99, 1)
        found["classes held out, gamma", f"{where}, 1 %"] = expected_calibration_error(
            similar[few], rare.predict_proba(d[few])[:, 1]
        )
    return found


def verification(folder):
    """LFW: probabilities by KISSME from pairs, fitted to its training pairs or to pairs of another fold."""
    with np.load(folder / "lfw_view2_lbp_pca500.npz") as file:
        X, a, b, label, fold = (file[key] for key in ("X", "pair_a", "pair_b", "pair_label", "fold"))
    X = make_pipeline(PCA(200, whiten=True), Normalizer()).fit_transform(floating(X))
    pairs, same = np.stack([X[a], X[b]], axis=1), label > 0
    p = {"its training pairs": np.zeros(len(same)), "pairs held back": np.zeros(len(same))}
    for held in np.unique(fold):
        test, back = fold == held, fold == (held + 1) % N_LFW
        model = mn.KISSME(regularization=0.1).fit(pairs[~test & ~back], same[~test & ~back])
        p["its training pairs"][test] = model.predict_proba(pairs[test])[:, 1]
        p["pairs held back"][test] = model.calibrate_proba(pairs[back], same[back]).predict_proba(pairs[test])[:, 1]
    return {
        name: [expected_calibration_error(same, v), brier_score_loss(same, v), roc_auc_score(same, v)]
        for name, v in p.items()
    }


# ---- outliers


def outliers(X, y, seed=0):
    """Area under the curve per cent, the mean over the class that is left out of training."""
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    found = {"LocalOutlierFactor, 20": [], "raw": [], "LDA": [], "Mahalanobis": []}
    for out in np.unique(y):
        rows = y_train != out
        A, b, normal = X_train[rows], y_train[rows], y_test != out
        lof = LocalOutlierFactor(20, novelty=True).fit(A)
        found["LocalOutlierFactor, 20"].append(roc_auc_score(normal, lof.score_samples(X_test)))
        lda = mn.LDA(solver="eigen", shrinkage="auto")
        for name, metric in {"raw": None, "LDA": lda, "Mahalanobis": mn.Mahalanobis(random_state=seed)}.items():
            model = mn.KNNOutlierDetector(metric=metric).fit(A, b)
            found[name].append(roc_auc_score(normal, model.score_samples(X_test)))
    return {name: 100 * np.mean(values) for name, values in found.items()}


def table(title, rows, form="{:.2f}"):
    """Mean and standard deviation over draws of dictionaries with the same keys."""
    cells = {key: [form.format(np.mean([row[key] for row in rows]))] for key in rows[0]}
    for key, cell in cells.items():
        cell.append("± " + form.format(np.std([row[key] for row in rows])))
    named = {key if isinstance(key, str) else ", ".join(key): cell for key, cell in cells.items()}
    show(title, ["mean", "over draws"], named, least=12)


def main():
    parser = parser_of(__doc__, quick="one draw, without networks", seeds="draws of the unseen intents", n_seeds=5)
    parser.add_argument("--only", nargs="+", default=["open", "pairs", "verification", "outliers"])
    options = parser.parse_args()
    folder = folder_of(options, ["banking77_minilm.npz", "lfw_view2_lbp_pca500.npz", "mnist.npz"])
    if folder is None:
        return
    warnings.simplefilter("ignore")
    seeds = range(1 if options.quick else options.seeds)
    names = [name for name in METRICS if not (options.quick and name == "adapter")]
    if "open" in options.only:
        data = banking(folder)
        rows = [open_set(*data, seed, names) for seed in seeds]
        table("open set, banking77: area under the ROC curve per cent, 20 unseen intents", rows)
    if "pairs" in options.only:
        data = banking(folder)
        for name in names:
            rows = [probabilities(*data, seed, name) for seed in seeds]
            table(f"pairs, banking77, {name}: expected calibration error", rows, "{:.3f}")
    if "verification" in options.only:
        rows = {name: [f"{v:.3f}" for v in values] for name, values in verification(folder).items()}
        show("LFW, KISSME: probabilities fitted to", ["ECE", "Brier", "AUC"], rows, least=8)
    if "outliers" in options.only:
        table("outliers, digits: area under the ROC curve per cent", [outliers(*load_digits(return_X_y=True))])
        X, y, _ = load("mnist", folder)
        table("outliers, 2500 of mnist: area under the ROC curve per cent", [outliers(X / 255, y)])


if __name__ == "__main__":
    main()

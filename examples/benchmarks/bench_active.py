"""A person in the loop: which pairs of samples to have labelled, over the budget of pairs.

Half of the classes, drawn at random, are those of new samples, which judge; pairs of samples of the other half are
labelled in rounds, each as large as all before.  A half of each round is drawn at random, the other half too, or it is
what the metric is least certain of ("uncertain"), or nearest neighbours, whose dissimilar pairs are hard negatives
("nearest"); before there is a metric "uncertain" starts with nearest neighbours.  The metric is learned anew after
each round from all pairs that were labelled; it is judged on the classes that it has not seen by the area under the ROC
curve of all pairs, and by the mean average precision at R of retrieval.  Points are 40 principal components of the half
that is learned from.  Classes are persons (olivetti), objects (eth80), intents (banking77) and characters.

``--choose`` compares values of a parameter of the learner within the classes to learn from, of which half judge; the
other classes are not looked at.

"labels needed" is the budget at which a curve reaches the best that random pairs reach with any budget, interpolated in
the logarithm of the budget.

"half as many" is what uncertain pairs give above twice as many random ones, in the mean over draws.

Run ``python bench_active.py --data DIR``, or set METRICNETS_DATA.
"""

import warnings
from functools import partial

import numpy as np
from _datasets import Dataset, drawn, load, stratified, whole
from _options import folder_of, parser_of
from _tables import show
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import metricnets as mn
from metricnets.active import query_pairs
from metricnets.metrics import retrieval_scores

SETS = {
    "olivetti": ("olivetti.npz", whole),
    "eth80": ("eth80.npz", lambda data: Dataset(data["X"], data["set_id"], stratified)),
    "viper": ("viper_mdf.npz", lambda data: Dataset(data["X"], data["person"], stratified)),
    "banking77": ("banking77_minilm.npz", drawn),
    "alphadigits": ("binaryalphadigs.npz", whole),
}
BUDGETS = (100, 200, 400, 800, 1600, 3200, 6400)
STRATEGIES = ("random", "uncertain", "nearest")
LEARNERS = {  # name: parameter, and the values of it that are compared
    "ITML": ("gamma", (0.1, 0.3, 1.0, 3.0, 10.0)),
    "KISSME": ("regularization", (0.1, 0.3, 1.0, 3.0, 10.0)),
    "GMML": ("regularization", (0.01, 0.1, 1.0, 10.0)),
    "DDMLPairs": ("max_epochs", (10, 30)),
}


def learner(X, seed, *, name, value=None):
    """A learner of pairs of rows of X; its defaults if there is no value."""
    made = getattr(mn, name)(preprocessor=X)
    if "random_state" in made.get_params():
        made.set_params(random_state=seed)
    return made if value is None else made.set_params(**{LEARNERS[name][0]: value})


def halves(X, y, seed):
    """Points and classes to learn from, and of classes that are not seen."""
    rng = np.random.default_rng(seed)
    classes = rng.permutation(np.unique(y))
    seen = np.isin(y, classes[: len(classes) // 2])
    pca = PCA(40, random_state=0).fit(X[seen])
    scale = pca.explained_variance_[0] ** 0.5
    return pca.transform(X[seen]) / scale, y[seen], pca.transform(X[~seen]) / scale, y[~seen]


def curve(make, strategy, X, y, X_new, y_new, seed, budgets=BUDGETS):
    """Scores after each round, (n_budgets, 2), and the share of similar pairs among those that were labelled."""
    pairs, scores, metric = np.empty((0, 2), int), [], None
    for budget in budgets:
        chosen = "nearest" if metric is None and strategy == "uncertain" else strategy
        for some in (chosen, "random"):
            n = (budget - len(pairs)) // (2 if some == chosen and chosen != "random" else 1)
            options = {"strategy": some, "exclude": pairs, "random_state": seed}
            pairs = np.concatenate([pairs, query_pairs(metric, X, n, **options)]) if n else pairs
        similar = y[pairs[:, 0]] == y[pairs[:, 1]]
        if similar.all() or not similar.any():  # nothing to learn from yet
            scores.append(judged(X_new, y_new))
            continue
        metric = make(X, seed).fit(pairs, np.where(similar, 1, -1))
        scores.append(judged(metric.transform(X_new), y_new))
    return np.array(scores), similar.mean()


def judged(z, y):
    a, b = np.triu_indices(len(y), 1)
    some = np.random.default_rng(0).permutation(len(a))[:50_000]
    a, b = a[some], b[some]
    auc = roc_auc_score(y[a] == y[b], -np.linalg.norm(z[a] - z[b], axis=1))
    return 100 * auc, 100 * retrieval_scores(z, y)["map_at_r"]


def needed(scores, level):
    """The budget at which a curve first has this score, as text."""
    above = np.flatnonzero(scores >= level)
    if not len(above):
        return f"> {BUDGETS[-1]}"
    i = above[0]
    if i == 0:
        return f"<= {BUDGETS[0]}"
    share = (level - scores[i - 1]) / (scores[i] - scores[i - 1])
    return f"{BUDGETS[i - 1] * (BUDGETS[i] / BUDGETS[i - 1]) ** share:.0f}"


def main():
    parser = parser_of(__doc__, quick="one draw", seeds="draws of the classes", n_seeds=5)
    parser.add_argument("--only", nargs="+", default=SETS, choices=SETS, help="data sets")
    parser.add_argument("--learner", default="ITML", choices=LEARNERS)
    parser.add_argument("--value", type=float, help="of the parameter of the learner that --choose compares")
    parser.add_argument("--choose", action="store_true", help="compare values of this parameter")
    options = parser.parse_args()
    if (folder := folder_of(options, [file for file, _ in SETS.values()])) is None:
        return
    warnings.simplefilter("ignore")
    make = partial(learner, name=options.learner)
    for name in options.only:
        if (data := load(name, folder, SETS)) is None:
            print(f"{name}: {SETS[name][0]} is missing")
            continue
        parts = [halves(data.X, data.y, seed) for seed in range(1 if options.quick else options.seeds)]
        if options.choose:
            param, values = LEARNERS[options.learner]
            show(f"{name}, {param} of {options.learner}", ["area", "MAP@R"], choose(make, values, parts))
            continue
        raw = np.mean([judged(X_new, y_new) for _, _, X_new, y_new in parts], axis=0)
        results = {s: draws(partial(make, value=options.value), s, parts) for s in STRATEGIES}
        tell(f"{name}, {options.learner}", raw, results)
        show(f"{name}, {options.learner}: half as many uncertain as random pairs", ["area", "MAP@R"], halved(results))


def choose(make, values, parts, budgets=BUDGETS[:5]):
    """Area and MAP@R of each value, means over draws, strategies and budgets; new classes have no part."""
    inner = [halves(*part[:2], seed) for seed, part in enumerate(parts)]
    rows = {"no metric": np.mean([judged(*part[2:]) for part in inner], axis=0)}
    for value in values:
        fits = [(partial(make, value=value), s, *part, seed) for s in STRATEGIES for seed, part in enumerate(inner)]
        rows[f"{value:g}"] = np.mean([curve(*fit, budgets)[0] for fit in fits], axis=(0, 1))
    return {name: [f"{score:.2f}" for score in scores] for name, scores in rows.items()}


def draws(make, strategy, parts):
    """Scores (n_draws, n_budgets, 2) and the mean share of similar pairs."""
    found, shares = zip(*(curve(make, strategy, *part, seed) for seed, part in enumerate(parts)))
    return np.array(found), np.mean(shares)


def halved(results):
    """What each budget of uncertain pairs gives above twice as many random ones, as text."""
    found, rows = results["uncertain"][0][:, :-1] - results["random"][0][:, 1:], {}
    means, errors = found.mean(axis=0), found.std(axis=0) / max(1, len(found) - 1) ** 0.5
    for budget, gains in zip(BUDGETS, np.stack([means, errors], axis=-1)):
        rows[f"{budget}, {2 * budget}"] = [f"{mean:+.1f} ± {error:.1f}" for mean, error in gains]
    return rows


def tell(title, raw, results):
    for j, score in enumerate(("area under the ROC curve", "MAP@R")):
        rows, level = {}, results["random"][0][..., j].mean(axis=0).max()
        for strategy, (found, share) in results.items():
            means, errors = found[..., j].mean(axis=0), found[..., j].std(axis=0) / max(1, len(found) - 1) ** 0.5
            cells = [f"{m:.1f} ± {e:.1f}" for m, e in zip(means, errors)]
            rows[strategy] = [*cells, needed(means, level), f"{share:.0%}"]
        columns = [*(f"{budget} pairs" for budget in BUDGETS), "labels needed", "similar"]
        show(f"{title}: {score}, per cent; no metric {raw[j]:.1f}", columns, rows, least=13)


if __name__ == "__main__":
    main()

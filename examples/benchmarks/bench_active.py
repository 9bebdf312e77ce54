"""A person in the loop: which pairs of samples to have labelled, over the budget of pairs.

Half of the classes, drawn at random, are those of new samples, which judge; pairs of samples of the other half are
labelled in rounds, each as large as all before.  A half of each round is drawn at random, the other half too, or it is
what the metric is least certain of ("uncertain"), or nearest neighbours, whose dissimilar pairs are hard negatives
("nearest"); before there is a metric "uncertain" starts with nearest neighbours.  The metric is learned anew after
each round from all pairs that were labelled; it is judged on the classes that it has not seen by the area under the ROC
curve of all pairs, and by the mean average precision at R of retrieval.  Points are 40 principal components of the half
that is learned from.

``--choose`` compares regularisations of KISSME within the classes to learn from, of which half judge; the other classes
are not looked at.

"labels needed" is the budget at which a curve reaches what random pairs have at the largest budget, interpolated in
the logarithm of the budget.

Run ``python bench_active.py --data DIR``, or set METRICNETS_DATA.
"""

import warnings
from functools import partial

import numpy as np
from _datasets import load
from _options import folder_of, parser_of
from _tables import show
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

import metricnets as mn
from metricnets.active import query_pairs
from metricnets.metrics import retrieval_scores

FILES = {"olivetti": "olivetti.npz", "alphadigits": "binaryalphadigs.npz"}
BUDGETS = (50, 100, 200, 400, 800, 1600)
STRATEGIES = ("random", "uncertain", "nearest")
REGULARIZATIONS = (0.1, 0.3, 1.0, 3.0, 10.0)


def kissme(X, seed, regularization):
    return mn.KISSME(preprocessor=X, regularization=regularization)


LEARNERS = {
    "KISSME": kissme,
    "GMML": lambda X, seed: mn.GMML(preprocessor=X),
    "DDMLPairs": lambda X, seed: mn.DDMLPairs(preprocessor=X, random_state=seed),
}


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
    parser.add_argument("--only", nargs="+", default=["KISSME"], choices=LEARNERS, help="learners")
    parser.add_argument("--regularization", type=float, default=0.3, help="of KISSME")
    parser.add_argument("--choose", action="store_true", help="compare regularisations of KISSME")
    options = parser.parse_args()
    if (folder := folder_of(options, FILES.values())) is None:
        return
    warnings.simplefilter("ignore")
    learners = LEARNERS | {"KISSME": partial(kissme, regularization=options.regularization)}
    for name in FILES:
        X, y, _ = load(name, folder)
        parts = [halves(X, y, seed) for seed in range(1 if options.quick else options.seeds)]
        if options.choose:
            show(f"{name}, regularization of KISSME", ["area", "MAP@R"], choose(parts, BUDGETS[:5]))
            continue
        raw = np.mean([judged(X_new, y_new) for _, _, X_new, y_new in parts], axis=0)
        for learner in options.only:
            tell(f"{name}, {learner}", raw, {s: draws(learners[learner], s, parts) for s in STRATEGIES})


def choose(parts, budgets):
    """Area and MAP@R of each regularisation, means over draws, strategies and budgets; new classes have no part."""
    inner = [halves(*part[:2], seed) for seed, part in enumerate(parts)]
    rows = {"no metric": np.mean([judged(*part[2:]) for part in inner], axis=0)}
    for strength in REGULARIZATIONS:
        make = partial(kissme, regularization=strength)
        found = [curve(make, s, *part, seed, budgets)[0] for s in STRATEGIES for seed, part in enumerate(inner)]
        rows[f"{strength:g}"] = np.mean(found, axis=(0, 1))
    return {name: [f"{value:.2f}" for value in values] for name, values in rows.items()}


def draws(make, strategy, parts):
    """Scores (n_draws, n_budgets, 2) and the mean share of similar pairs."""
    found, shares = zip(*(curve(make, strategy, *part, seed) for seed, part in enumerate(parts)))
    return np.array(found), np.mean(shares)


def tell(title, raw, results):
    for j, score in enumerate(("area under the ROC curve", "MAP@R")):
        rows, level = {}, results["random"][0][:, -1, j].mean()
        for strategy, (found, share) in results.items():
            means, errors = found[..., j].mean(axis=0), found[..., j].std(axis=0) / max(1, len(found) - 1) ** 0.5
            cells = [f"{m:.1f} ± {e:.1f}" for m, e in zip(means, errors)]
            rows[strategy] = [*cells, needed(means, level), f"{share:.0%}"]
        columns = [*(f"{budget} pairs" for budget in BUDGETS), "labels needed", "similar"]
        show(f"{title}: {score}, per cent; no metric {raw[j]:.1f}", columns, rows, least=13)


if __name__ == "__main__":
    main()

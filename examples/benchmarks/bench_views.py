"""Two views and two domains: TwoViewNet, DCML and TwoDomainNet, on Wikipedia and Office-Caltech SURF.

*Wikipedia* (2173 training and 693 test articles in 10 classes; images, 128 bins, and texts, 10 topics): mean average
precision of the retrieval of texts of the same class by images, and of images by texts, sorted by cosines, on the
published split.  CCA and semantic matching, the class probabilities of a logistic regression of each view minus their
mean, are the baselines; its C is 1, or chosen by cross-validation.  Lifted to unit norm, as ``TwoViewNet`` lifts them,
they sort by the probability that image and text are of one class.  Features are the given histograms, or their square
roots.

*Office-Caltech*: for each pair of the four domains, half of the samples of each class and domain are trained on; the
mean average precision of the other half is the mean over both directions between the domains.  Samples are divided by
their sum, then standardised in each domain.

Run ``python bench_views.py --data DIR``, or set METRICNETS_DATA.
"""

from itertools import combinations

import numpy as np
from _options import folder_of, parser_of
from _tables import show
from sklearn.base import BaseEstimator
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from metricnets import DCML, EmbeddingNet, TwoDomainNet, TwoViewNet
from metricnets.metrics import mean_average_precision
from metricnets.protocols import cross_view

FILES = ("wikipedia.npz", "office_caltech10_surf.npz")
START = {"lr": 1e-9, "max_epochs": 1}  # what a network starts from
RANDOM = {"pairs": "within", "init": "glorot", "lr": 0.003, "max_epochs": 40}
GRID = {"logisticregression__C": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]}


class SemanticMatching(BaseEstimator):
    """Class probabilities of a logistic regression of each view, minus their mean, which may be lifted to unit norm."""

    def __init__(self, choose=False, lift=False):
        self.choose, self.lift = choose, lift

    def fit(self, X, Y, y):
        """Fit both models."""
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        grid = GRID if self.choose else {}
        self.models_ = [GridSearchCV(model, grid, scoring="neg_log_loss", cv=3).fit(view, y) for view in (X, Y)]
        return self

    def transform(self, X, Y):
        """Class probabilities of both views."""
        p, q = (model.predict_proba(view) - 1 / 10 for model, view in zip(self.models_, (X, Y)))
        if not self.lift:
            return p, q
        norms = [np.sqrt(1 - (z**2).sum(axis=1)) for z in (p, q)]
        return np.c_[p, norms[0], np.zeros(len(p))], np.c_[q, np.zeros(len(q)), norms[1]]


class WithoutClasses(BaseEstimator):
    """A learner of two views, given matched rows only."""

    def __init__(self, learner):
        self.learner = learner

    def fit(self, X, Y):
        """Fit the learner."""
        self.learner.fit(X, Y)
        return self

    def transform(self, X, Y):
        """Embeddings of both views."""
        return self.learner.transform(X, Y)


VIEWS = {
    "CCA(9)": lambda seed: CCA(9, max_iter=2000),
    "semantic matching, C = 1": lambda seed: SemanticMatching(),
    "semantic matching, C by CV": lambda seed: SemanticMatching(choose=True),
    "  the same, lifted to unit norm": lambda seed: SemanticMatching(choose=True, lift=True),
    "start of TwoViewNet": lambda seed: TwoViewNet(random_state=seed, **START),
    "TwoViewNet": lambda seed: TwoViewNet(random_state=seed),
    "TwoViewNet, no cross-entropy": lambda seed: TwoViewNet(identification=0.0, random_state=seed),
    "TwoViewNet, from random weights": lambda seed: TwoViewNet(init="glorot", random_state=seed),
    "DCML": lambda seed: DCML(random_state=seed),
    "DCML, from random weights": lambda seed: DCML(coupling=1.0, random_state=seed, **RANDOM),
    "  the same, alpha = 0": lambda seed: DCML(alpha=0.0, coupling=1.0, random_state=seed, **RANDOM),
    "  the same, coupling = 0": lambda seed: DCML(coupling=0.0, random_state=seed, **RANDOM),
    "start without classes": lambda seed: WithoutClasses(TwoViewNet(random_state=seed, **START)),
    "TwoViewNet without classes": lambda seed: WithoutClasses(TwoViewNet(random_state=seed)),
}
FIXED = {"CCA(9)", "semantic matching, C = 1", "semantic matching, C by CV", "  the same, lifted to unit norm"}
DOMAINS = {
    "raw": None,
    "EmbeddingNet of one domain": "one",
    "EmbeddingNet of both": lambda seed: EmbeddingNet(random_state=seed),
    "TwoDomainNet": lambda seed: TwoDomainNet(random_state=seed),
    "TwoDomainNet, contrastive": lambda seed: TwoDomainNet(loss="contrastive", pairs="across", random_state=seed),
}


def wikipedia(folder, n_seeds, names):
    """Rows of a table: for each learner and kind of features the two mean average precisions."""
    with np.load(folder / FILES[0]) as table:
        X, Y, y, *split = (table[key] for key in ("X_image", "X_text", "y", "train", "test"))
    rows = {}
    for name in names:
        cells = []
        for features in (lambda A: A, np.sqrt):
            views = features(X.astype(float)), features(Y.astype(float))
            seeds = range(1 if name in FIXED else n_seeds)
            found = [cross_view(VIEWS[name](seed), *views, y, [split], n_jobs=1) for seed in seeds]
            for way in ("x_to_y", "y_to_x"):
                cells.append(f"{np.mean([each[f'{way}_mean_average_precision'] for each in found]):.3f}")
        rows[name] = cells
        print(".", end="", flush=True)
    return rows


def office(folder, n_seeds, names, n_pairs):
    """Rows of a table: for each learner the mean average precision between each pair of domains, and its mean."""
    with np.load(folder / FILES[1]) as table:
        X, y, domain, of = (table[key] for key in ("X", "y", "domain", "domain_names"))
    X = X / X.sum(axis=1, keepdims=True).astype(float)
    for d in np.unique(domain):
        X[domain == d] = scale(X[domain == d])
    pairs = list(combinations(range(len(of)), 2))[-n_pairs:]
    rows = {}
    for name in names:
        scores = [[_between(name, X, y, domain, pair, seed) for seed in range(n_seeds)] for pair in pairs]
        means = [*np.mean(scores, axis=1), np.mean(scores)]
        rows[name] = [f"{score:.3f}" for score in means]
        print(".", end="", flush=True)
    return [f"{of[a][:6]}–{of[b][:6]}" for a, b in pairs] + ["mean"], rows


def _between(name, X, y, domain, pair, seed):
    """Mean average precision of both directions between two domains, of the half that is not trained on."""
    rows = np.flatnonzero(np.isin(domain, pair))
    train, test = train_test_split(rows, test_size=0.5, stratify=100 * domain[rows] + y[rows], random_state=seed)
    a, b = (test[domain[test] == d] for d in pair)
    if name == "raw":
        return _retrieval(X, y, a, b)
    if DOMAINS[name] == "one":  # the better of the two on the test part
        parts = [train[domain[train] == d] for d in pair]
        return max(_retrieval(EmbeddingNet(random_state=seed).fit(X[p], y[p]).transform(X), y, a, b) for p in parts)
    learner, params = DOMAINS[name](seed), {}
    if isinstance(learner, TwoDomainNet):
        params["sample_domain"] = np.where(domain[train] == pair[0], 1, -1)
    return _retrieval(learner.fit(X[train], y[train], **params).transform(X), y, a, b)


def _retrieval(z, y, a, b):
    ways = ((a, b), (b, a))
    return np.mean([mean_average_precision(z[q], y[q], z[g], y[g], metric="cosine") for q, g in ways])


def main():
    parser = parser_of(__doc__, quick="one seed, few rows", seeds="of networks, and of splits of domains", n_seeds=2)
    options = parser.parse_args()
    folder = folder_of(options, FILES)
    if folder is None:
        return
    n_seeds = 1 if options.quick else options.seeds
    if (folder / FILES[0]).is_file():
        rows = wikipedia(folder, n_seeds, list(VIEWS)[1:5] if options.quick else VIEWS)
        columns = ["image→text", "text→image", "roots: i→t", "t→i"]
        show("Wikipedia, mean average precision", columns, rows, least=12)
    if (folder / FILES[1]).is_file():
        columns, rows = office(folder, n_seeds, DOMAINS, n_pairs=1 if options.quick else 6)
        show("Office-Caltech, mean average precision between domains", columns, rows, least=12)


if __name__ == "__main__":
    main()

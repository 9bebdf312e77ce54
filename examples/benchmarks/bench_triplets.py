"""Learners from relative judgements, on triplets of classes that were not seen in training.

Half of the classes, drawn at random, train, and the others judge: olivetti has 40 persons, eth80 eight categories of
ten objects, both as grey pixels.  There are 2,000 training triplets, of a sample, another one of its class and one of
another class, and 10,000 to judge by; the score is the share of these that are right.

A learner has the best of a few settings, by triplets of a third of the training classes after learning from those of
the others.  Linear learners have principal components with 95 or 99 % of the variance, rows of unit norm or not, and
two values of their penalty or prior; in the rows "pixels" they have their defaults and all features, of images of at
most 32 x 32 pixels.  ``TripletsNet`` has either start, and embeddings of unit norm or not.  "defaults" is
``TripletsNet()`` without a choice.  LSML gets each triplet (a, b, c) as a quadruplet (a, b, a, c), with which
``QuadrupletsNet`` would be the same as ``TripletsNet``.  "above raw" has the standard error of differences in the same
draws.  Run ``python bench_triplets.py --data DIR``, or set METRICNETS_DATA.

``--noise`` flips some of the training triplets, of digits of seen classes instead, with 50 to 20,000 triplets.
"""

import time
import warnings
from itertools import product

import numpy as np
from _datasets import SETS, load
from _options import parser_of
from _tables import choose, show
from sklearn.decomposition import PCA
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from metricnets import LSML, SCML, TripletsNet
from metricnets._draws import random_triplets

N_TRAIN, N_TEST = 2_000, 10_000
SPACES = {"share": [0.95, 0.99], "unit_norm": [False, True]}
GRIDS = {
    "raw": [{}],
    "cosine": [{}],
    "PCA": list(ParameterGrid(SPACES)),
    "SCML": list(ParameterGrid(SPACES | {"beta": [1e-5, 1e-2]})),
    "LSML": list(ParameterGrid(SPACES | {"prior": ["identity", "covariance"]})),
    "SCML, pixels": [{}],
    "LSML, pixels": [{}],
    "TripletsNet": list(ParameterGrid({"init": ["wccn", "identity"], "normalize": [False, True]})),
    "defaults": [{}],
}


# ---- learners: embeddings of all points after learning from some triplets


def space_of(X, rows, share=None, unit_norm=False):
    """Points in a space that depends on those of these rows only."""
    steps = [FunctionTransformer()] + [PCA(share, svd_solver="full")] * bool(share) + [Normalizer()] * unit_norm
    return make_pipeline(*steps).fit(X[np.unique(rows)]).transform(X)


def embedded(name, X, triplets, seed, share=None, unit_norm=False, **params):
    X = space_of(X, triplets, share, unit_norm or name == "cosine")
    name, _, pixels = name.partition(", ")
    X = images(X).reshape(len(X), -1).astype(float) if pixels and X.shape[1] > 32**2 else X
    if name == "SCML":
        return SCML(preprocessor=X, random_state=seed, **params).fit(triplets).transform(X)
    if name == "LSML":
        return LSML(preprocessor=X, **params).fit(triplets[:, [0, 1, 0, 2]]).transform(X)
    if name in ("TripletsNet", "defaults"):
        return TripletsNet(preprocessor=X, random_state=seed, **params).fit(triplets).transform(X)
    return X


def images(X):
    """Images (n, 1, side, side) of at most 32 x 32 pixels, means of blocks."""
    side = int(X.shape[1] ** 0.5)
    block = -(-side // 32)
    small = X.reshape(-1, side // block, block, side // block, block).mean(axis=(2, 4))
    return (small / small.std() - small.mean() / small.std())[:, None].astype(np.float32)


def accuracy(z, triplets):
    """Share of right triplets, in per cent; a tie is half."""
    a, b, c = z[triplets.T].astype(float)
    return 50 + 50 * np.sign(((a - c) ** 2).sum(1) - ((a - b) ** 2).sum(1)).mean()


# ---- draws


def drawn(rows, y, n, rng):
    """Triplets of these rows."""
    codes = np.full(len(y), -1)
    codes[rows] = np.unique(y[rows], return_inverse=True)[1]
    return random_triplets(codes, n, rng)


def judged(name, X, y, seed):
    """The score on classes that were not seen, the setting that was chosen, and the seconds of the last fit."""
    rng = np.random.RandomState(seed)
    classes = rng.permutation(np.unique(y))
    seen = classes[: len(classes) // 2]
    held = seen[: max(2, len(seen) // 3)]
    rows = [np.flatnonzero(np.isin(y, some)) for some in (np.setdiff1d(seen, held), held, seen, classes[len(seen) :])]
    parts = [drawn(of, y, n, rng) for of, n in zip(rows, (N_TRAIN, N_TEST, N_TRAIN, N_TEST))]
    chosen = choose(GRIDS[name], lambda params: accuracy(embedded(name, X, parts[0], seed, **params), parts[1]))
    begin = time.perf_counter()
    z = embedded(name, X, parts[2], seed, **chosen)
    return accuracy(z, parts[3]), chosen, time.perf_counter() - begin


def unseen(options):
    draws = range(options.first, options.first + options.seeds)
    for dataset in ("olivetti", "eth80"):
        found = load(dataset, options.data)
        if found is None:
            print(f"{dataset} is left out: give --data DIR or METRICNETS_DATA, with {SETS[dataset][0]}.")
            continue
        rows, raw = {}, [judged("raw", found.X, found.y, seed)[0] for seed in draws]
        for name in options.only:
            scores, chosen, seconds = zip(*(judged(name, found.X, found.y, seed) for seed in draws))
            above = mean_and_error(np.subtract(scores, raw))
            rows[name] = [mean_and_error(scores), above, f"{np.median(seconds):.1f}"]
            print(f"  {dataset}, {name}: {rows[name][0]}, {[tuple(one.values()) for one in chosen]}", flush=True)
        title = f"{dataset}: right triplets of classes not seen, per cent, {options.seeds} draws"
        show(title, ["", "above raw", "seconds"], rows)


def mean_and_error(scores):
    """Mean ± standard error."""
    error = f" ± {np.std(scores, ddof=1) / len(scores) ** 0.5:.1f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.1f}{error}"


# ---- wrong triplets


def noise(options):
    """Triplets of digits, some of them flipped; new digits of the same classes judge."""
    X, y, _ = load("digits", None)
    columns = ["raw", "SCML", "start", "hinge", "ratio", "defaults"]
    settings = {"start": {"shrinkage": 1.0}, "hinge": {"loss": "hinge"}, "ratio": {"loss": "ratio"}}
    rows = {}
    for n, share in product([50, 1000] if options.quick else [50, 1000, 20_000], [0.0, 0.1, 0.2]):
        scores = {name: [] for name in columns}
        for seed in range(options.first, options.first + options.seeds):
            rng = np.random.RandomState(seed)
            train, test = np.array_split(rng.permutation(len(y)), 2)
            triplets, others = drawn(train, y, n, rng), drawn(test, y, N_TEST, rng)
            wrong = rng.uniform(size=n) < share
            triplets[wrong] = triplets[wrong][:, [0, 2, 1]]
            for name in columns:
                kind = "TripletsNet" if name in settings else name
                z = embedded(kind, X, triplets, seed, **settings.get(name, {}))
                scores[name].append(accuracy(z, others))
        above = {name: mean_and_error(np.subtract(scores[name], scores["raw"])) for name in columns[1:]}
        rows[f"{n} triplets, {share:.0%} wrong"] = [mean_and_error(scores["raw"]), *above.values()]
    title = f"digits: right triplets of new digits, per cent for raw, above raw for the others, {options.seeds} draws"
    show(title, columns, rows, least=13)


def main():
    parser = parser_of(__doc__, quick="one draw, no 20,000 triplets", seeds="draws", n_seeds=5)
    parser.add_argument("--only", nargs="+", choices=GRIDS, default=list(GRIDS), metavar="LEARNER")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="seed of the first draw (default: 0)")
    parser.add_argument("--noise", action="store_true", help="wrong triplets of digits instead")
    options = parser.parse_args()
    options.seeds = 1 if options.quick else options.seeds
    warnings.simplefilter("ignore")  # solvers that reach max_iter
    (noise if options.noise else unseen)(options)


if __name__ == "__main__":
    main()

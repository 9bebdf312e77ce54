"""Person re-identification: VIPeR, rank-k recognition of 316 persons who are not in the training part.

The first ten published splits: a metric is learned from the two images of each of 316 persons; then each of the other
persons, as seen by camera a, is searched for in camera b (``metricnets.protocols.gallery_probe``).

Hyper-parameters are chosen in each split, on the training persons alone: preprocessing and the learner's own parameter
are those with the best mean reciprocal rank on a held-out third of these persons.  All learners have the same grid of
preprocessing: points centred and divided by one scale, standardised, or 40 whitened principal components.  For
learners from pairs, the two images of a person are similar, and an image in camera a is dissimilar to those of ten
others in camera b.  Learners from triplets and quadruplets get the same comparisons; RCA gets persons as chunks.  The
``_Supervised`` forms of pair learners, which would draw such pairs at random, and MLKR, which needs real targets, are
left out.

``--ablation`` changes one part of the deep method at a time, on held-out training persons of splits 11 to 15, and of
KISSME, on those of splits 11 to 40.

Run ``python bench_reid.py --data DIR``, or set METRICNETS_DATA; the folder should have viper_mdf.npz.
"""

import sys
import time
import warnings
from collections import Counter

import joblib
import numpy as np
from _options import folder_of, parser_of
from _settings import FROM_RANDOM
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler, normalize
from tqdm.auto import tqdm

import metricnets as mn
from metricnets.metrics import mean_average_precision
from metricnets.protocols import gallery_probe
from metricnets.tuple_learners import PairsMixin, QuadrupletsMixin, TripletsMixin

FILE = "viper_mdf.npz"
RANKS = (1, 10, 20)
PUBLISHED = {"KISSME, as published": (26.9, 70.0, 83.5)}
QUICK = ("Euclidean", "LFDA", "ITML", "KISSME, five sizes", "EmbeddingNet, npair")


def cameras(y):
    """Rows of each person in camera a and in camera b; rows are sorted by camera."""
    return np.argsort(y, kind="stable").reshape(-1, 2).T


class OneScale(TransformerMixin, BaseEstimator):
    """Points as they are, but for their place and one scale."""

    def fit(self, X, y=None):
        """Mean and scale."""
        self.mean_, self.scale_ = X.mean(axis=0), np.sqrt(X.var(axis=0).mean())
        return self

    def transform(self, X):
        """Centre and divide."""
        return (X - self.mean_) / self.scale_


class FromPersons(TransformerMixin, BaseEstimator):
    """A learner of tuples: each person in both cameras, beside ``n_others`` other persons in camera b."""

    def __init__(self, learner, n_others=10):
        self.learner, self.n_others = learner, n_others

    def fit(self, X, y):
        """Draw the tuples and learn."""
        a, b = cameras(y)
        i = np.repeat(np.arange(len(a)), self.n_others)
        j = (i + np.random.default_rng(0).integers(1, len(a), len(i))) % len(a)
        self.learner_ = clone(self.learner).set_params(preprocessor=X)
        if isinstance(self.learner, PairsMixin):
            pairs = np.r_[np.c_[a, b], np.c_[a[i], b[j]]]
            self.learner_.fit(pairs, np.repeat([1, -1], [len(a), len(i)]))
        else:
            apart = (a[i], b[j]) if isinstance(self.learner, QuadrupletsMixin) else (b[j],)
            self.learner_.fit(np.stack([a[i], b[i], *apart], axis=1))
        return self

    def transform(self, X):
        """Embed."""
        return self.learner_.transform(X)


class AcrossCameras(TransformerMixin, BaseEstimator):
    """A learner from classes that compares images of two cameras; embeddings may have unit norm."""

    def __init__(self, learner, unit_norm=False):
        self.learner, self.unit_norm = learner, unit_norm

    def fit(self, X, y):
        """Learn, given the camera of each image."""
        view = np.zeros(len(y), int)
        view[cameras(y)[1]] = 1
        self.learner_ = clone(self.learner).fit(X, y, view=view)
        return self

    def transform(self, X):
        """Embed."""
        z = self.learner_.transform(X)
        return normalize(z) if self.unit_norm else z


class Truncated(TransformerMixin, BaseEstimator):
    """Embeddings of one learner on several numbers of whitened principal components, side by side."""

    def __init__(self, learner, sizes=(30, 40, 50, 60, 76)):
        self.learner, self.sizes = learner, sizes

    def fit(self, X, y):
        """Learn one metric for each number of components."""
        sizes = [min(size, X.shape[1]) for size in self.sizes]
        pca = [PCA(size, whiten=True, svd_solver="full") for size in sizes]
        self.parts_ = [make_pipeline(step, clone(self.learner)).fit(X, y) for step in pca]
        return self

    def transform(self, X):
        """Embed."""
        return np.hstack([part.transform(X) for part in self.parts_])


def power(X):
    return np.sign(X) * np.abs(X) ** 0.7


DEEP = {"n_components": 64, "hidden": (512,), "dropout": 0.5, "normalize": True, "n_per_class": 2, "max_epochs": 30}
NPAIR = mn.EmbeddingNet(loss="npair", **FROM_RANDOM["EmbeddingNet"] | DEEP | {"lr": 1.5e-3})
TEMPERATURES = {"loss_params": [{"temperature": T} for T in (0.2, 0.4)]}
PREPROCESSING = {
    "one scale": OneScale(),
    "standardised": StandardScaler(),
    "whitened": PCA(40, whiten=True, svd_solver="full"),
}
RIDGES = [0.0, 0.03, 0.1, 0.3, 1.0]
ACROSS = {"unit_norm": [False, True], "learner__regularization": RIDGES}
OF_SIZES = {"learner__learner__regularization": RIDGES}
LINEAR = {  # the learner, and the values of its own parameter
    "Covariance": (mn.Covariance(), {}),
    "LDA": (mn.LDA(solver="eigen"), {"shrinkage": [0.0, 0.1, "auto"]}),
    "LFDA": (mn.LFDA(k=1), {"n_components": [None, 30]}),
    "RCA": (mn.RCA(), {"n_components": [None, 30]}),
    "NCA": (mn.NCA(), {"max_iter": [10, 30]}),
    "LMNN": (mn.LMNN(n_neighbors=1), {"regularization": [0.2, 0.5, 0.8]}),
    "SCML_Supervised": (mn.SCML_Supervised(k_genuine=1, random_state=0), {"beta": [1e-6, 1e-5, 1e-4]}),
    "RAML": (mn.RAML(random_state=0), {"alpha": [0.01, 0.1, 1.0]}),
    "ITML": (mn.ITML(), {"gamma": [0.1, 1.0, 10.0]}),
    "SDML": (mn.SDML(), {"balance_param": [0.1, 0.5]}),
    "MMC": (mn.MMC(), {"shrinkage": ["auto", None]}),
    "GMML": (mn.GMML(), {"t": [0.05, 0.1, 0.5]}),
    "LDML": (mn.LDML(), {"regularization": [0.01, 0.1]}),
    "DMLEig": (mn.DMLEig(), {"mu": [0.01, 0.1]}),
    "DoubletSVM": (mn.DoubletSVM(), {"C": [0.1, 1.0]}),
    "SCML": (mn.SCML(random_state=0), {"beta": [1e-6, 1e-5, 1e-4]}),
    "LSML": (mn.LSML(), {"prior": ["identity", "covariance"]}),
    "KISSME": (AcrossCameras(mn.KISSME_Supervised()), ACROSS),
    "XQDA": (AcrossCameras(mn.XQDA()), ACROSS),
    "KISSME, five sizes": (Truncated(AcrossCameras(mn.KISSME_Supervised(), unit_norm=True)), OF_SIZES),
    "XQDA, five sizes": (Truncated(AcrossCameras(mn.XQDA(), unit_norm=True)), OF_SIZES),
}
PEERS = {
    "Euclidean": None,
    "NCA of scikit-learn": (NeighborhoodComponentsAnalysis(random_state=0), {"max_iter": [10, 30]}),
    "KISSME, its formula": (AcrossCameras(mn.KISSME_Supervised(regularization=0.0)), {}),
}
NETS = {
    "EmbeddingNet, npair": (NPAIR, TEMPERATURES),
    "three of them": (clone(NPAIR).set_params(n_networks=3, n_components=192), TEMPERATURES),
    "HRAML": (mn.HRAML(scale=2.0, **FROM_RANDOM["HRAML"] | DEEP), {"lr": [1.5e-3, 5e-3]}),
    "DDML": (mn.DDML(**FROM_RANDOM["DDML"] | DEEP | {"balanced": True}), {"lr": [1.5e-3, 5e-3]}),
}
OURS = tuple(NETS)[:2]
LEARNERS = PEERS | LINEAR | NETS

ABLATION = {  # of EmbeddingNet, npair; with preprocessing
    "n-pair loss, one hidden layer, dropout, unit norm": {},
    "no dropout": {"dropout": 0.0},
    "no unit norm": {"normalize": False},
    "two hidden layers": {"hidden": (256, 256)},
    "no hidden layer": {"hidden": ()},
    "no hidden layer, no unit norm: linear": {"hidden": (), "normalize": False},
    "points of one scale": {"scaler": "one scale"},
    "points standardised": {"scaler": "standardised"},
    "triplets, hardest": {"loss": "triplet", "loss_params": {"select": "hard", "margin": 0.3}},
    "contrastive": {"loss": "contrastive", "loss_params": {"margin": 1.2, "squared": True}},
    "logistic pair, as DDML": {
        "loss": "logistic_pair",
        "loss_params": {"margin": 1.2, "sharpness": 5.0, "balanced": True},
    },
    "alignment, as HRAML": {"loss": "alignment"},
}
RATES = (1.5e-3, 5e-3)


def across(cls, regularization, unit_norm):
    return AcrossCameras(cls(regularization=regularization), unit_norm)


def whitened(size, learner):
    return make_pipeline(PCA(size, whiten=True, svd_solver="full"), learner)


PARTS = {  # of KISSME and XQDA; the first is the whole
    "KISSME, five sizes, unit norm of each": Truncated(across(mn.KISSME_Supervised, 0.1, True)),
    "XQDA, five sizes, unit norm of each": Truncated(across(mn.XQDA, 0.1, True)),
    "five sizes, unit norm of all": make_pipeline(Truncated(across(mn.KISSME_Supervised, 0.1, False)), Normalizer()),
    "five sizes, no unit norm": Truncated(across(mn.KISSME_Supervised, 0.1, False)),
    "three sizes, unit norm of each": Truncated(across(mn.KISSME_Supervised, 0.1, True), sizes=(30, 50, 76)),
    "40 components, ridge 0.1, unit norm": whitened(40, across(mn.KISSME_Supervised, 0.1, True)),
    "40 components, ridge 0.1": whitened(40, across(mn.KISSME_Supervised, 0.1, False)),
    "40 components, no ridge": whitened(40, across(mn.KISSME_Supervised, 0.0, False)),
    "76 components, ridge 0.1, unit norm": whitened(76, across(mn.KISSME_Supervised, 0.1, True)),
    "KISSME, one scale, ridge 0.3, unit norm": across(mn.KISSME_Supervised, 0.3, True),
    "KISSME, one scale, ridge 0.3": across(mn.KISSME_Supervised, 0.3, False),
    "XQDA, one scale, ridge 0.3, unit norm": across(mn.XQDA, 0.3, True),
    "XQDA, one scale, ridge 0.3": across(mn.XQDA, 0.3, False),
    "XQDA, standardised, ridge 0.3, unit norm": make_pipeline(StandardScaler(), across(mn.XQDA, 0.3, True)),
    "powers 0.7 of the features, 40 components": make_pipeline(
        OneScale(), FunctionTransformer(power), whitened(40, across(mn.KISSME_Supervised, 0.1, True))
    ),
    "Gaussian kernel, 40 components": make_pipeline(
        OneScale(),
        Nystroem(gamma=2e-3, n_components=400, random_state=0),
        whitened(40, across(mn.KISSME_Supervised, 0.1, True)),
    ),
}


def read(folder):
    """Rows sorted by camera and person, and the splits of persons."""
    with np.load(folder / FILE) as table:
        X, y, camera = table["X"].astype(float), table["person"], table["camera"]
        order = np.lexsort((y, camera))
        return X[order], y[order], camera[order] == 0, list(zip(table["train_persons"], table["test_persons"]))


def search_space(name):
    """The pipeline of a learner and its grid."""
    metric, own = LEARNERS[name]
    prefix = "metric"
    if isinstance(metric, (PairsMixin, TripletsMixin, QuadrupletsMixin)):
        metric, prefix = FromPersons(metric), "metric__learner"
    grid = {"scaler": list(PREPROCESSING.values())} | {f"{prefix}__{key}": values for key, values in own.items()}
    return Pipeline([("scaler", None), ("metric", metric)]), grid


def hold_out(y):
    """A third of the persons, always the same: the persons kept, and those held out."""
    persons = np.random.default_rng(0).permutation(np.unique(y))
    return persons[len(persons) // 3 :], persons[: len(persons) // 3]


def reciprocal_rank(model, X, y):
    """Mean of 1 / rank of the one match, which is the mean average precision."""
    a, b = cameras(y)
    z = model.transform(X)
    return mean_average_precision(z[a], y[a], z[b], y[b])


def chosen(model, y_train, X_train, grid):
    """The parameters that do best on held-out training persons."""
    parts = [tuple(np.flatnonzero(np.isin(y_train, persons)) for persons in hold_out(y_train))]
    search = GridSearchCV(model, grid, scoring=reciprocal_rank, cv=parts, refit=False, error_score="raise")
    return search.fit(X_train, y_train).best_params_


def judge(name, X, y, is_probe, split, seeds):
    """One learner on one split: what was chosen, rates of shape (n_seeds, n_ranks), seconds."""
    begin, models, choice = time.perf_counter(), [None], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers stopped before they converge, in the grid on purpose
        if LEARNERS[name] is not None:
            model, grid = search_space(name)
            if name in NETS:
                model.set_params(metric__random_state=0)
            train = np.isin(y, split[0])
            choice = chosen(model, y[train], X[train], grid)
            model.set_params(**choice)
            models = [model]
            if name in NETS:
                models = [clone(model).set_params(metric__random_state=seed) for seed in range(seeds)]
        rates = [gallery_probe(m, X, y, is_probe, [split], k=RANKS)["test_cmc"][0] for m in models]
    return name, in_words(choice), 100 * np.array(rates), time.perf_counter() - begin


def in_words(choice):
    names = {type(scaler): name for name, scaler in PREPROCESSING.items()}
    values = [names.get(type(value), value) for value in choice.values()]
    return ", ".join(str(*value.values()) if isinstance(value, dict) else str(value) for value in values[::-1])


def take_apart(name, X, y, is_probe, split, seed, lr):
    """One variant of the ablation: mean reciprocal rank and rank-1 on held-out training persons."""
    settings = {"scaler": "whitened", "lr": lr} | ABLATION[name]
    scaler = clone(PREPROCESSING[settings.pop("scaler")])
    model = Pipeline([("scaler", scaler), ("metric", clone(NPAIR).set_params(random_state=seed, **settings))])
    if "loss" in settings and "loss_params" not in settings:
        model.set_params(metric__loss_params=None)
    found = gallery_probe(model, X, y, is_probe, [hold_out(split[0])], k=1)
    return name, lr, 100 * found["test_mean_average_precision"][0], 100 * found["test_cmc"][0]


def parts(X, y, is_probe, splits):
    """Variants of KISSME and XQDA on held-out training persons."""
    print(f"\n{'KISSME and XQDA':52s} {'MRR':>5s} {'rank-1':>7s} {'to full':>13s}   of {len(splits)} splits")
    held_out, whole = [hold_out(split[0]) for split in splits], None
    for name, model in PARTS.items():
        found = gallery_probe(make_pipeline(OneScale(), model), X, y, is_probe, held_out, k=1)
        scores = 100 * found["test_mean_average_precision"]
        whole = scores if whole is None else whole
        gap = "" if whole is scores else f"{(scores - whole).mean():+6.1f} ± {error(scores - whole):3.1f}"
        print(f"{name:52s} {scores.mean():5.1f} {100 * found['test_cmc'].mean():7.1f} {gap:>13s}", flush=True)


def run(jobs, n_jobs):
    done = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    return list(tqdm(done, total=len(jobs), unit="fit"))


def ablation(X, y, is_probe, splits, options):
    jobs = [
        joblib.delayed(take_apart)(name, X, y, is_probe, split, seed, lr)
        for name in ABLATION
        for lr in RATES
        for split in splits
        for seed in range(options.seeds)
    ]
    done = run(jobs, options.jobs)
    print(f"{'EmbeddingNet':52s} {'MRR':>5s} {'rank-1':>7s} {'to full':>13s}   of {len(splits)} splits")
    found = {}
    for name in ABLATION:
        tried = {lr: np.array([d[2:] for d in done if d[:2] == (name, lr)]) for lr in RATES}  # (n_fits, 2)
        lr, scores = max(tried.items(), key=lambda item: item[1][:, 0].mean())
        found[name] = scores.reshape(len(splits), -1, 2).mean(axis=1)  # (n_splits, 2)
        difference = (found[name] - found[next(iter(ABLATION))])[:, 0]
        gap = f"{difference.mean():+6.1f} ± {error(difference):3.1f}" if difference.any() else ""
        print(f"{name:52s} {found[name][:, 0].mean():5.1f} {found[name][:, 1].mean():7.1f} {gap:>13s}   lr={lr}")


def error(differences):
    """Standard error of the mean."""
    return np.std(differences, ddof=1) / np.sqrt(len(differences))


def table(X, y, is_probe, splits, names, options):
    for name in names:
        own = LEARNERS[name][1] if LEARNERS[name] else {}
        if own:
            print(f"   {name:22s} " + "; ".join(f"{key} in {values}" for key, values in own.items()))
    jobs = [joblib.delayed(judge)(name, X, y, is_probe, split, options.seeds) for name in names for split in splits]
    done = run(jobs, options.jobs)
    rates = {name: np.array([d[2].mean(axis=0) for d in done if d[0] == name]) for name in names}  # (n_splits, n_ranks)
    ours = rates.get(OURS[0])
    print(f"\n{'':24s} {'rank-1':>12s} {'rank-10':>12s} {'rank-20':>12s} {'npair ahead':>13s} {'s/split':>8s}   chosen")
    for name, row in PUBLISHED.items():
        print(f"{name:24s} " + " ".join(f"{rate:5.1f}       " for rate in row))
    for name in names:
        cells = " ".join(f"{m:5.1f} ± {s:4.1f}" for m, s in zip(rates[name].mean(axis=0), rates[name].std(axis=0)))
        gap = "" if ours is None or rates[name] is ours else versus(ours, rates[name])
        seconds = np.mean([d[3] for d in done if d[0] == name])
        often = "; ".join(f"{choice} ({n})" for choice, n in Counter(d[1] for d in done if d[0] == name).most_common(3))
        print(f"{name:24s} {cells} {gap:>13s} {seconds:8.1f}   {often if LEARNERS[name] else ''}")
    for name in OURS:
        if name in rates:
            verdicts(name, rates, np.mean([d[2] for d in done if d[0] == name], axis=0)[:, 0])


def versus(ours, theirs):
    """Mean difference of rank-1 over the splits and its standard error."""
    difference = ours[:, 0] - theirs[:, 0]
    return f"{difference.mean():+5.1f} ± {error(difference):3.1f}"


def verdict(ours, theirs, whom):
    difference = (ours - theirs)[:, 0]
    word = "above" if difference.mean() > 0 else "NOT above"
    doubt = ", within two standard errors" if abs(difference.mean()) < 2 * error(difference) else ""
    return f"   {word} {whom}: {versus(ours, theirs)}{doubt}"


def verdicts(name, rates, seeds):
    ours, linear = rates[name], {other: rates[other] for other in LINEAR if other in rates}
    print(f"\n{name}: rank-1 {ours[:, 0].mean():.1f}, by seed {' '.join(f'{rate:.2f}' for rate in seeds)}")
    if linear:
        best = max(linear, key=lambda other: linear[other][:, 0].mean())
        print(
            verdict(ours, linear[best], f"each of {len(linear)} linear learners of the project, the best being {best}")
        )
    for other, row in PUBLISHED.items():
        print(verdict(ours, np.array([row]), other))
    for other in PEERS:
        if other in rates:
            print(verdict(ours, rates[other], other))


def arguments():
    quick = "two splits, five learners, one seed"
    parser = parser_of(__doc__, quick=quick, seeds="of the deep learners", n_seeds=3)
    parser.add_argument("--ablation", action="store_true", help="take the deep method apart instead")
    parser.add_argument("--only", help="learners whose names have one of these words, separated by commas")
    return parser.parse_args()


def main():
    options = arguments()
    folder = folder_of(options, [FILE])
    if folder is None:
        return
    if not (folder / FILE).is_file():
        print(f"{folder / FILE} is not there: nothing was measured.")
        return
    X, y, is_probe, splits = read(folder)
    if options.quick:
        options.seeds = 1
    if options.ablation:
        parts(X, y, is_probe, splits[10:12] if options.quick else splits[10:40])
        return ablation(X, y, is_probe, splits[10:12] if options.quick else splits[10:15], options)
    names = QUICK if options.quick else tuple(LEARNERS)
    if options.only:
        names = [name for name in LEARNERS if any(word.strip() in name for word in options.only.split(","))]
        if not names:
            sys.exit(f"--only {options.only} names none of {', '.join(LEARNERS)}.")
    splits = splits[: 2 if options.quick else 10]
    print(f"VIPeR: {len(splits)} splits, {options.seeds} seeds of the deep learners")
    print(f"the grid: {', '.join(PREPROCESSING)}; with")
    table(X, y, is_probe, splits, names, options)


if __name__ == "__main__":
    main()

"""Verification of pairs: Labeled Faces in the Wild (View 2, image-restricted) and KinFaceW-I.

For each fold, whitened principal components and then a learner from pairs are fitted to the pairs of the other folds.
KinFaceW-I is learned for each relation by itself, on grey pixels minus their mean, with unit norm.  Hyper-parameters,
from the same grid for all learners, are chosen by the area under the ROC curve on held-out training folds: three of
nine (LFW), each half of four in turn, over all relations (KinFaceW).  For linear learners, it is also chosen whether
points are scaled to unit norm.

The accuracy needs a threshold: "own" is the threshold of the learner itself, "held" the best one for the held-out
pairs.  Linear learners are compared by the better of the two.

Run ``python bench_verification.py --data DIR``, or set METRICNETS_DATA.
"""

import sys
import time
import warnings

import numpy as np
from _options import folder_of, parser_of
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

from metricnets import GMML, ITML, LDML, MMC, RCA, SDML, DDMLPairs, DMLEig, DoubletSVM
from metricnets.calibration import threshold
from metricnets.protocols import cross_validate_pairs

FILES = {"LFW": "lfw_view2_lbp_pca500.npz", "KinFaceW-I": "kinfacew_I.npz"}
COMPONENTS = (20, 30, 40, 200)  # those below the number of points
LEARNERS = {c.__name__: c for c in (GMML, ITML, SDML, MMC, DDMLPairs, LDML, DMLEig, DoubletSVM)}
# Beside the defaults; tried with the number of components that is best at the defaults.
SETTINGS = {
    "ITML": [{"gamma": 0.1}, {"gamma": 10.0}],
    "MMC": [{"max_iter": 10}],
    "SDML": [{"balance_param": 0.1}, {"balance_param": 1.0}],
    "GMML": [{"t": 0.25}, {"t": 0.75}, {"regularization": 1.0}],
    "LDML": [{"regularization": 1.0}, {"regularization": 10.0}],
    "DMLEig": [{"regularization": 1.0}, {"regularization": 10.0}],
    "DoubletSVM": [],
}
LIMITS = {"LDML": {"max_iter": 100}, "DMLEig": {"max_iter": 100}, "DoubletSVM": {"max_iter": 20_000}}  # slow ones
OURS = {
    "activation": "identity",
    "dropout": 0.0,
    "input_dropout": 0.0,
    "normalize": True,
    "init": "within",
    "jitter": 1.0,
    "margin": 1.7,
    "gap": 0.0,
    "sharpness": 10.0,
    "balanced": False,
    "weight_decay": 1.0,
    "lr": 3e-4,
    "max_epochs": 10,
    "batch_size": 64,
    "early_stopping": False,
}
BASELINES = ["whitened cosine", "RCA cosine"]
NAMES = [*BASELINES, *LEARNERS]
ABLATION = {
    "all of it": {},
    "no hidden layer": {"hidden": ()},
    "tanh": {"activation": "tanh"},
    "no jitter, early stopping": {"jitter": 0.0, "early_stopping": True},
    "no jitter": {"jitter": 0.0},
    "jitter, early stopping": {"early_stopping": True},
    "init='pca'": {"init": "pca"},
    "init='glorot', lr=1e-3": {"init": "glorot", "lr": 1e-3},
    "gap=1, sharpness=1": {"gap": 1.0, "sharpness": 1.0},
    "no unit norm (margin=3, gap=1, sharpness=1)": {"normalize": False, "margin": 3.0, "gap": 1.0, "sharpness": 1.0},
    "the start, not trained": {"max_epochs": 1, "lr": 1e-12},
}


def read(path):
    """X, pairs, y, fold, and groups of pairs that are learned apart."""
    with np.load(path) as table:
        X, fold = table["X"].astype(float), table["fold"]
        pairs = np.column_stack([table["pair_a"], table["pair_b"]]).astype(int)
        y = np.where(table["pair_label"] == 1, 1, -1)
        relation = table["relation"] if "relation" in table else np.zeros(len(y), int)
    if "kin" in path.name:
        X = X.reshape(len(X), -1)
        X = normalize(X - X.mean(axis=1, keepdims=True))
    return X, pairs, y, fold, relation


def whitened(X, pairs):
    """All points by the whitened principal components of those of some pairs, the greatest first."""
    points = X[np.unique(pairs)]
    return PCA(min(max(COMPONENTS), len(points) - 1), whiten=True, random_state=0).fit(points).transform(X)


def learned(name, Z, pairs, y, setting, seed=0):
    """Scores of all pairs as a function of them, and the threshold, from some pairs."""
    setting = {"random_state": seed} | setting
    unit, k = setting.pop("unit"), setting.pop("k")
    Z = normalize(Z[:, :k]) if unit else Z[:, :k]
    if name in BASELINES:
        if name == "RCA cosine":
            similar = pairs[y > 0]
            Z = RCA().fit(Z[similar.ravel()], chunks=np.repeat(np.arange(len(similar)), 2)).transform(Z)
        Z = normalize(Z)

        def cosines(p):
            return np.einsum("ij,ij->i", Z[p[:, 0]], Z[p[:, 1]])

        return cosines, threshold(cosines(pairs), y)
    if name == "DDMLPairs":
        setting = OURS | {"hidden": (k,), "n_components": k} | setting
    learner = LEARNERS[name](preprocessor=Z)
    known = learner.get_params()
    learner.set_params(**{key: value for key, value in (LIMITS.get(name, {}) | setting).items() if key in known})
    learner.fit(pairs, y)
    return learner.decision_function, -learner.threshold_


def halves(fold, train):
    """Folds of training pairs that are held back: three of nine at once, or of four one half after the other."""
    folds = np.unique(fold[train])
    return [folds[:3]] if len(folds) > 4 else [folds[::2], folds[1::2]]


def chosen(name, parts):
    """The best setting by the mean AUC over ``parts``, and the best threshold for what was held back.

    A part is (Z, pairs, y) to learn from, and pairs and y held back; the thresholds are by part.
    """

    def tried(setting):
        scores = [learned(name, *seen, setting)[0](held[0]) for seen, held in parts]
        return np.mean([roc_auc_score(held[1], s) for s, (_, held) in zip(scores, parts)]), scores

    most = min(seen[0].shape[1] for seen, _ in parts)
    units = [False, True] if name not in ("DDMLPairs", "whitened cosine") else [False]
    settings = [{"k": k, "unit": unit} for k in COMPONENTS for unit in units if k <= most]
    best, found = max(((s, tried(s)) for s in settings), key=lambda item: item[1][0])
    others = [(best | more, tried(best | more)) for more in SETTINGS.get(name, [])]
    best, found = max([(best, found), *others], key=lambda item: item[1][0])
    return best, found[1]


def judge(name, table, test_fold, seeds):
    """One fold: accuracy with either threshold and AUC, for each seed, in per cent; the setting; seconds of a fit."""
    warnings.simplefilter("ignore")
    X, pairs, y, fold, group = table
    groups, parts = np.unique(group), []
    for g in groups:
        train = (group == g) & (fold != test_fold)
        for back in halves(fold, train):
            seen, held = train & ~np.isin(fold, back), train & np.isin(fold, back)
            parts.append(((whitened(X, pairs[seen]), pairs[seen], y[seen]), (pairs[held], y[held])))
    setting, scores = chosen(name, parts)
    found, seconds = [], 0.0
    for i, g in enumerate(groups):
        n_parts = len(parts) // len(groups)
        mine = slice(i * n_parts, (i + 1) * n_parts)
        cut = threshold(np.concatenate(scores[mine]), np.concatenate([held[1] for _, held in parts[mine]]))
        train, test = (group == g) & (fold != test_fold), (group == g) & (fold == test_fold)
        Z = whitened(X, pairs[train])
        for seed in range(seeds if name == "DDMLPairs" else 1):
            begin = time.perf_counter()
            score, own = learned(name, Z, pairs[train], y[train], setting, seed)
            seconds += time.perf_counter() - begin
            found.append(figures(score(pairs[test]), y[test], own, cut))
    found = np.array(found).reshape(len(groups), -1, 3)  # (n_groups, n_seeds, 3)
    return found, setting, seconds / found[..., 0].size


def figures(scores, y, *thresholds):
    """Accuracy at each threshold, and AUC, in per cent."""
    accuracies = [np.mean((scores >= cut) == (y > 0)) for cut in thresholds]
    return 100 * np.array([*accuracies, roc_auc_score(y, scores)])


def cosine(table):
    """Accuracy and AUC of the points as they are, by fold, in per cent."""
    X, pairs, y, fold, group = table
    found = []
    for g in np.unique(group):
        one = group == g
        results = cross_validate_pairs(None, pairs[one], y[one], fold[one], preprocessor=X, metric="cosine")
        found.append([results["test_accuracy"], results["test_accuracy"], results["test_roc_auc"]])
    return 100 * np.array(found).transpose(2, 0, 1)[:, :, None]  # (n_folds, n_groups, 1, 3)


def error(values):
    return np.std(values, ddof=1) / len(values) ** 0.5


def row(name, found, seconds=0.0):
    """Print a learner's figures (n_folds, n_groups, n_seeds, 3)."""
    by_fold = found.mean(axis=(1, 2))
    cells = [f"{by_fold[:, i].mean():6.2f} ± {error(by_fold[:, i]):4.2f}" for i in range(3)]
    groups = " ".join(f"{v:5.1f}" for v in found[..., 0].mean(axis=(0, 2))) if found.shape[1] > 1 else ""
    seeds = f"± {found[..., 0].mean(axis=(0, 1)).std():4.2f}" if found.shape[2] > 1 else ""
    print(f"{name:16s} " + "  ".join(cells) + f" {seconds:7.1f} {groups} {seeds}", flush=True)


def told(settings):
    """How often each setting was chosen."""
    said = [", ".join(f"{key}={value}" for key, value in setting.items() if value is not False) for setting in settings]
    return "; ".join(f"{one} ({said.count(one)})" for one in dict.fromkeys(said)).replace("unit=True", "unit norm")


def bench(kind, table, names, options):
    folds = np.unique(table[3])[: 3 if options.quick else None]
    print(f"\n{kind}: {len(table[2])} pairs, {len(folds)} folds; per cent, mean ± standard error over folds")
    print(f"{'':16s} {'own threshold':>14s} {'held threshold':>14s} {'AUC':>14s} seconds  by relation, ± over seeds")
    by_name = {"cosine": cosine(table)[: len(folds)]}
    row("cosine", by_name["cosine"])
    for name in names:
        jobs = (delayed(judge)(name, table, fold, 1 if options.quick else options.seeds) for fold in folds)
        done = Parallel(n_jobs=options.jobs)(jobs)
        by_name[name] = np.array([found for found, *_ in done])
        row(name, by_name[name], np.mean([seconds for *_, seconds in done]))
        print(f"{'':18s}{told([setting for _, setting, _ in done])}", flush=True)
    if "DDMLPairs" in by_name:
        verdicts(kind, by_name)


def verdicts(kind, by_name):
    """Whether ours is where it should be; others by the better of their thresholds."""
    by_fold = {name: found[..., 0].mean(axis=(1, 2)) for name, found in by_name.items()}
    for name, found in by_name.items():
        held = found[..., 1].mean(axis=(1, 2))
        if name != "DDMLPairs" and held.mean() > by_fold[name].mean():
            by_fold[name] = held
    ours = by_fold.pop("DDMLPairs")
    if kind == "LFW":
        for bar in (82.5, 85.0):
            print(f"{kind}: {ours.mean():.2f}, {'at least' if ours.mean() >= bar else 'BELOW'} {bar}")
    else:
        gain = ours.mean() - by_fold["cosine"].mean()
        print(f"{kind}: cosine {gain:+.2f}, {'at least' if gain >= 5 else 'LESS THAN'} 5")
    for name, theirs in by_fold.items():
        gain = ours - theirs
        doubt = "" if abs(gain.mean()) > 2 * error(gain) else ", within two standard errors"
        above = "above" if gain.mean() > 0 else "NOT above"
        print(f"{kind}: {above} {name}, by {gain.mean():.2f} ± {error(gain):.2f}{doubt}")


def without(change, table, seed):
    """Own threshold and AUC on LFW's folds 0 to 8, three held back at a time, with one part changed."""
    warnings.simplefilter("ignore")
    X, pairs, y, fold, _ = table
    found = []
    for back in np.arange(9).reshape(3, 3):
        seen, held = (fold < 9) & ~np.isin(fold, back), np.isin(fold, back)
        setting = {"k": 200, "unit": False} | change
        score, own = learned("DDMLPairs", whitened(X, pairs[seen]), pairs[seen], y[seen], setting, seed)
        s = score(pairs[held])
        found.append(figures(s, y[held], own, threshold(s, y[held])))
    return np.mean(found, axis=0)


def ablation(table, options):
    seeds = range(1 if options.quick else options.seeds)
    print("\nAblation on LFW, folds 0 to 8, three held back at a time, k=200: mean (± over seeds), per cent")
    print(f"{'':44s} {'own threshold':>14s} {'best threshold':>14s} {'AUC':>14s}")
    for name, change in ABLATION.items():
        found = np.array(Parallel(n_jobs=options.jobs)(delayed(without)(change, table, seed) for seed in seeds))
        cells = [f"{found[:, i].mean():6.2f} ± {found[:, i].std():4.2f}" for i in range(3)]
        print(f"{name:44s} " + "  ".join(cells), flush=True)


def arguments():
    parser = parser_of(__doc__, quick="three folds, one seed", seeds="of DDMLPairs", n_seeds=3)
    parser.add_argument("--only", nargs="+", choices=[*FILES, *NAMES], default=[], help="data sets, learners")
    parser.add_argument("--ablation", action="store_true", help="what each part of DDMLPairs gives, on LFW")
    return parser.parse_args()


def main():
    options = arguments()
    folder = folder_of(options, FILES.values())
    if folder is None:
        return
    names = [name for name in NAMES if name in options.only] or NAMES
    for kind in [kind for kind in FILES if kind in options.only] or FILES:
        path = folder / FILES[kind]
        if not path.is_file():
            print(f"{path} is not there: {kind} is left out.", file=sys.stderr)
        elif not options.ablation:
            bench(kind, read(path), names, options)
        elif kind == "LFW":
            ablation(read(path), options)


if __name__ == "__main__":
    main()

"""DNLML-ISA: verification of faces and of kinship by layers of independent subspace analysis.

Data and folds are those of bench_verification.py, and so is what is learned from: for each fold the pairs of the other
folds.  KinFaceW-I is learned for each relation by itself.  Beside the cosine of the points as they are there is the cosine
of whitened principal components, whose number is chosen on training folds held back, three of nine at once (LFW) or of
four one after the other (KinFaceW-I).  So is the setting of ``DNLML_ISA``, one of ``CHOICES``.  Accuracies are those with
the threshold of the learner itself.

``--ablation`` shows what each part of the learner gives, on folds 0 to 8 of LFW, three held back at a time.

Run ``python bench_isa.py --data DIR``, or set METRICNETS_DATA.
"""

import time
import warnings

import numpy as np
from _options import folder_of, parser_of
from bench_verification import SETS, Points, cosine, error, figures, held_back, learned, read
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score

from metricnets import DNLML_ISA
from metricnets.calibration import threshold

COMPONENTS = (20, 30, 40, 100, 200, 300)
FACES = {"jitter": 1.0, "early_stopping": False, "offset": 2.0, "n_units": 200, "max_epochs": 10}
CHOICES = [{"n_layers": 1}, {"n_layers": 2}]
ABLATION = {
    "one layer": {},
    "two layers": {"n_layers": 2},
    "three layers": {"n_layers": 3},
    "no side information in the objective (weight=0)": {"weight": 0.0},
    "the start, not trained": {"max_epochs": 1, "lr": 1e-12},
    "subspaces of one unit, as ICA": {"subspace_size": 1},
    "subspaces of four units": {"subspace_size": 4},
    "no input beside the output (skip=0)": {"skip": 0.0},
    "offset=1": {"offset": 1.0},
    "offset=4": {"offset": 4.0},
    "no jitter": {"jitter": 0.0},
    "principal components (init='pca')": {"init": "pca"},
    "the same, weight=0": {"init": "pca", "weight": 0.0},
    "the same, offset=0, skip=0: ISA": {"init": "pca", "weight": 0.0, "offset": 0.0, "skip": 0.0},
    "the same, with side information": {"init": "pca", "offset": 0.0, "skip": 0.0},
    "the same, two layers": {"init": "pca", "offset": 0.0, "skip": 0.0, "n_layers": 2},
}


def fitted(X, pairs, y, setting, seed=0):
    """Scores of pairs as a function of them, and the threshold, of a learner fitted to these pairs."""
    learner = DNLML_ISA(preprocessor=X, random_state=seed, **(FACES | setting)).fit(pairs, y)
    return learner.decision_function, -learner.threshold_


def whitened(X, pairs, y, setting, seed=0):
    """The same of the cosine of whitened principal components."""
    return learned("whitened cosine", Points(X, pairs, y), setting | {"ridge": None, "unit": False}, seed)


def settings_of(learn, X):
    if learn is whitened:
        return [{"k": k} for k in COMPONENTS if k <= X.shape[1]]
    return CHOICES


def judge(learn, table, test_fold, seeds):
    """One fold: accuracy with the learner's threshold and AUC, for each relation and seed, in per cent; the setting."""
    warnings.simplefilter("ignore")
    X, pairs, y, fold, group = table
    groups = np.unique(group)

    def quality(setting):
        found = []
        for g in groups:
            train = (group == g) & (fold != test_fold)
            for back in held_back(fold, train):
                seen, held = train & ~np.isin(fold, back), train & np.isin(fold, back)
                found.append(roc_auc_score(y[held], learn(X, pairs[seen], y[seen], setting)[0](pairs[held])))
        return np.mean(found)

    setting = max(settings_of(learn, X), key=quality)
    found, begin = [], time.perf_counter()
    for g in groups:
        train, test = (group == g) & (fold != test_fold), (group == g) & (fold == test_fold)
        for seed in range(seeds if learn is fitted else 1):
            score, own = learn(X, pairs[train], y[train], setting, seed)
            found.append(figures(score(pairs[test]), y[test], own))
    found = np.array(found).reshape(len(groups), -1, 2)
    return found, setting, (time.perf_counter() - begin) / found[..., 0].size


def row(name, found, seconds=0.0, settings=()):
    """Print figures (n_folds, n_groups, n_seeds, 2)."""
    by_fold = found.mean(axis=(1, 2))
    cells = [f"{by_fold[:, i].mean():6.2f} ± {error(by_fold[:, i]):4.2f}" for i in range(2)]
    groups = "  ".join(f"{v:5.1f}" for v in found[..., 0].mean(axis=(0, 2))) if found.shape[1] > 1 else ""
    said = [", ".join(f"{key}={value}" for key, value in setting.items()) for setting in settings]
    chosen = "; ".join(f"{one} ({said.count(one)})" for one in dict.fromkeys(said))
    print(f"{name:16s} {cells[0]:>14s} {cells[1]:>14s} {seconds:8.1f}  {groups}  {chosen}".rstrip(), flush=True)
    return by_fold[:, 0]


def bench(kind, table, options):
    folds = np.unique(table[3])[: 3 if options.quick else None]
    print(f"\n{kind}: {len(table[2])} pairs, {len(folds)} folds; per cent, mean ± standard error over folds")
    print(f"{'':16s} {'accuracy':>14s} {'AUC':>14s} {'seconds':>8s}  by relation; setting chosen")
    row("cosine", cosine(table)[: len(folds)][..., 1:])
    accuracies = []
    for name, learn in {"whitened cosine": whitened, "DNLML_ISA": fitted}.items():
        seeds = 1 if options.quick else options.seeds
        jobs = (delayed(judge)(learn, table, fold, seeds) for fold in folds)
        found, settings, seconds = zip(*Parallel(n_jobs=options.jobs)(jobs))
        accuracies.append(row(name, np.array(found), np.mean(seconds), settings))
    gain = accuracies[1] - accuracies[0]
    print(f"{kind}: DNLML_ISA is {gain.mean():+.2f} ± {error(gain):.2f} from the whitened cosine")


def without(change, table):
    """Own and best threshold and AUC on LFW's folds 0 to 8, three held back at a time, with one part changed."""
    warnings.simplefilter("ignore")
    X, pairs, y, fold, _ = table
    found = []
    for back in np.arange(9).reshape(3, 3):
        seen, held = (fold < 9) & ~np.isin(fold, back), np.isin(fold, back)
        score, own = fitted(X, pairs[seen], y[seen], {"n_layers": 1} | change)
        s = score(pairs[held])
        found.append(figures(s, y[held], own, threshold(s, y[held])))
    return np.mean(found, axis=0)


def ablation(table, options):
    print("\nAblation on LFW, folds 0 to 8, three held back at a time, per cent")
    print(f"{'':50s} own threshold  best threshold    AUC")
    changes = list(ABLATION.items())[: 3 if options.quick else None]
    rows = Parallel(n_jobs=options.jobs, return_as="generator")(
        delayed(without)(change, table) for _, change in changes
    )
    for (name, _), (own, best, auc) in zip(changes, rows):
        print(f"{name:50s} {own:13.2f} {best:15.2f} {auc:6.2f}", flush=True)


def main():
    parser = parser_of(__doc__, quick="three folds, one seed", seeds="of DNLML_ISA", n_seeds=1)
    parser.add_argument("--only", nargs="+", choices=[*SETS], default=["LFW", "KinFaceW-I", "KinFaceW-I grey"])
    parser.add_argument("--ablation", action="store_true", help="what each part gives, on LFW")
    options = parser.parse_args()
    folder = folder_of(options, sorted({SETS[kind][0] for kind in options.only}))
    if folder is None:
        return
    for kind in ["LFW"] if options.ablation else options.only:
        file, describe = SETS[kind]
        table = read(folder / file, describe)
        ablation(table, options) if options.ablation else bench(kind, table, options)


if __name__ == "__main__":
    main()

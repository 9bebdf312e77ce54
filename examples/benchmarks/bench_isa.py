"""DNLML-ISA: verification of faces and of kinship by layers of independent subspace analysis.

Data and folds are those of bench_verification.py: for each fold, what is learned is learned from the pairs of the other
folds, on KinFaceW-I for each relation by itself.  Beside DNLML_ISA there are the cosine of the points as they are, and
that of whitened principal components, whose number is chosen on training folds held back, three of nine at once (LFW)
or of four one after the other (KinFaceW-I).  The setting of DNLML_ISA is FACES, on KinFaceW-I after 40 whitened
principal components.  Accuracies are those with the threshold of the learner itself.

``--ablation`` shows what each part of the learner gives, on the first six folds of LFW, three held back.

Run ``python bench_isa.py --data DIR``, or set METRICNETS_DATA.
"""

import time
import warnings

import bench_verification
import numpy as np
from _options import folder_of, parser_of
from bench_verification import SETS, Points, cosine, error, figures, read
from joblib import Parallel, delayed

from metricnets import DNLML_ISA
from metricnets.calibration import threshold

FACES = {"n_layers": 1, "n_units": 200, "offset": 2.0, "jitter": 1.0, "early_stopping": False, "max_epochs": 10}
KIN_COMPONENTS = 40  # whitened ones, for a hundred similar pairs
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


def fitted(X, pairs, y, setting, seed=0, k=None):
    """Scores of pairs as a function of them, and the threshold, of a learner fitted to these pairs.

    With ``k`` it is given so many whitened principal components, which are fitted to the same pairs.
    """
    if k is not None:
        X = Points(X, pairs, y).mapped(k=k, ridge=None, unit=False)
    learner = DNLML_ISA(preprocessor=X, random_state=seed, **(FACES | setting)).fit(pairs, y)
    return learner.decision_function, -learner.threshold_


def judge(table, test_fold, seeds):
    """One fold: accuracy with the learner's threshold and AUC, for each relation and seed, in per cent; seconds."""
    warnings.simplefilter("ignore")
    X, pairs, y, fold, group = table
    k = KIN_COMPONENTS if len(np.unique(group)) > 1 else None
    found, begin = [], time.perf_counter()
    for g in np.unique(group):
        train, test = (group == g) & (fold != test_fold), (group == g) & (fold == test_fold)
        for seed in range(seeds):
            score, own = fitted(X, pairs[train], y[train], {}, seed, k)
            found.append(figures(score(pairs[test]), y[test], own))
    found = np.array(found).reshape(-1, seeds, 2)
    return found, {}, (time.perf_counter() - begin) / found[..., 0].size


def judge_whitened(table, test_fold, seeds):
    """The same of the cosine of whitened principal components, and how many."""
    found, setting, seconds = bench_verification.judge("whitened cosine", table, test_fold, 1, ["whitened"])
    return found[..., ::2], {"k": setting["k"]}, seconds


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
    for name, judged in {"whitened cosine": judge_whitened, "DNLML_ISA": judge}.items():
        seeds = 1 if options.quick else options.seeds
        jobs = (delayed(judged)(table, fold, seeds) for fold in folds)
        found, settings, seconds = zip(*Parallel(n_jobs=options.jobs)(jobs))
        accuracies.append(row(name, np.array(found), np.mean(seconds), settings))
    gain = accuracies[1] - accuracies[0]
    print(f"{kind}: DNLML_ISA is {gain.mean():+.2f} ± {error(gain):.2f} from the whitened cosine")


def without(change, table):
    """Own and best threshold and AUC on LFW's folds 3 to 5, learned from folds 0 to 2, with one part changed."""
    warnings.simplefilter("ignore")
    X, pairs, y, fold, _ = table
    seen, held = fold < 3, (fold >= 3) & (fold < 6)
    score, own = fitted(X, pairs[seen], y[seen], change)
    s = score(pairs[held])
    return figures(s, y[held], own, threshold(s, y[held]))


def ablation(table, options):
    print("\nAblation on LFW, folds 3 to 5, learned from folds 0 to 2, per cent")
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

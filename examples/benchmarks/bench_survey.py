"""The methods of a survey of deep metric learning (Lu, Hu and Zhou, IEEE SPM 2017), each by one call.

The first table has the calls.  Then each method is measured:

- on classes: accuracy of three nearest neighbours on 30 % of the samples, stratified, and MAP@R on the second half of
  the classes after training on the first half, as in bench_catalogue.py.  Parameters of a loss are those of its paper,
  the others are the defaults.
- on persons who were not seen: the first ten published splits of VIPeR, by the protocol of bench_reid.py.  Margins,
  the weight of the constraint and weight decay are chosen on held-out training persons of each split.
- on pairs of faces: LFW View 2 (image-restricted) and KinFaceW-I (each relation by itself, histograms of local binary
  patterns), by the folds of bench_verification.py, with the two distances of DeepFace.  The losses take classes, so
  that each similar pair of the training folds is a class of two images, and dissimilar pairs are those of different
  classes; those that are given serve only for the threshold.  A pair has the logit of the loss, its learnt threshold
  minus its learnt distance.  "own" is the accuracy with a logit above 0, "held" that with a logit above the median of a
  training fold, half of whose pairs are similar, on which the learning rate of the weights was chosen.

Run ``python bench_survey.py --data DIR``, or set METRICNETS_DATA.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from _options import folder_of, parser_of
from _survey import CLASSES, OF_HISTOGRAMS, PAIRS, PERSONS, call, cosines, on_classes, on_pairs, on_persons
from _tables import run, show

DATASETS = ["digits", "olivetti", "alphadigits"]
FACES = {"LFW": 10, "KinFaceW-I": 5}  # number of folds
N_SPLITS = 10  # of VIPeR
PARTS = ["classes", "persons", "pairs"]


def arguments():
    quick = "digits, one split, one fold, one seed, one setting, five epochs"
    parser = parser_of(__doc__, quick=quick, seeds="splits of classes, and networks", n_seeds=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--resume", type=Path, help="file that keeps finished rows, for the same calls")
    return parser.parse_args()


def note(arguments, result):
    """Say what failed, and why."""
    if "failed" in result:
        print(*arguments, result["failed"], flush=True)


def measured(jobs, options):
    """Scores (n_repeats, n_scores) of each row from its jobs; and what was chosen in each."""
    rows = list(dict.fromkeys(row for row, _ in jobs))
    results = run([job for _, job in jobs], n_jobs=options.jobs, resume=options.resume, note=note)
    by_row = {row: [found for (of, _), found in zip(jobs, results) if of == row] for row in rows}
    for row, found in by_row.items():
        chosen = [result.get("chosen", "{}") for result in found]
        often = [f"{one} ({chosen.count(one)})" for one in dict.fromkeys(chosen) if one != "{}"]
        if often:
            print(f"  {row} chose {'; '.join(often)}")
    return {row: np.array([result.get("scores", [np.nan]) for result in found]) for row, found in by_row.items()}


def cells(scores, *, error=False):
    """Mean ± standard deviation of each column, or ± standard error."""
    spread = scores.std(axis=0, ddof=1) / len(scores) ** 0.5 if error and len(scores) > 1 else scores.std(axis=0)
    return [f"{mean:.1f} ± {width:.1f}" for mean, width in zip(scores.mean(axis=0), spread)]


def recipes():
    print("Calls")
    for name, (paper, estimator) in CLASSES.items():
        print(f"  {name} ({paper})\n    {call(estimator)}")
    for name, (estimator, _) in PERSONS.items():
        if name not in CLASSES:
            print(f"  {name} (of persons)\n    {call(estimator)}")
    for name, estimator in PAIRS.items():
        print(f"  {name} (Taigman et al., CVPR 2014)\n    {call(estimator)}")


def classes(options):
    sets, seeds = (["digits"], 1) if options.quick else (DATASETS, options.seeds)
    epochs, folder = 5 if options.quick else 40, options.data
    jobs = [
        ((name, of), (on_classes, folder, of, name, epochs, seed))
        for name in CLASSES
        for of in sets
        for seed in range(seeds)
    ]
    found = measured(jobs, options)
    rows = {name: [cell for of in sets for cell in cells(found[name, of])] for name in CLASSES}
    columns = [f"{of}: {score}" for of in sets for score in ("kNN(3)", "MAP@R")]
    show(f"Classes: per cent, ± standard deviation over {seeds} seeds", columns, rows)


def persons(options):
    n_splits, n_settings = (1, 1) if options.quick else (N_SPLITS, None)
    jobs = [(name, (on_persons, options.data, name, i, n_settings)) for name in PERSONS for i in range(n_splits)]
    found = measured(jobs, options)
    columns = ["rank-1", "rank-10", "rank-20"]
    rows = {name: cells(scores, error=True) for name, scores in found.items()}
    show(f"VIPeR: per cent, ± standard error over {n_splits} splits", columns, rows)
    gain = found["with the constraint"] - found["moderate positives"]
    print(f"what the constraint adds, by split: rank-1 {cells(gain, error=True)[0]}")


def pairs(options):
    for kind, n_folds in FACES.items():
        folds = range(1 if options.quick else n_folds)
        names = [name for name in PAIRS if kind != "LFW" or name not in OF_HISTOGRAMS]
        n_settings = 1 if options.quick else None
        jobs = [("cosine", (cosines, options.data, kind, fold)) for fold in folds]
        jobs += [(name, (on_pairs, options.data, kind, name, fold, n_settings)) for name in names for fold in folds]
        rows = {name: cells(scores, error=True) for name, scores in measured(jobs, options).items()}
        title = f"{kind}: per cent, ± standard error over {len(folds)} folds"
        show(title, ["own threshold", "held threshold", "AUC"], rows)


def main():
    options = arguments()
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the processes: few rows for many features
    warnings.simplefilter("ignore")
    recipes()
    options.data = folder_of(options, ["olivetti.npz", "binaryalphadigs.npz", "viper_mdf.npz"])
    if options.data is None:
        return
    for part in options.only:
        {"classes": classes, "persons": persons, "pairs": pairs}[part](options)


if __name__ == "__main__":
    main()

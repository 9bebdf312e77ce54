"""Each loss of the catalogue on classes that were not seen in training, beside the same loss of another library.

The first half of the sorted classes of a data set trains, and the other half is judged by retrieval: MAP@R, precision
at 1 and R-precision, where each sample is a query among the others.  At most 2,500 samples of a data set are used.

The rows are no metric ("raw"), principal components ("PCA"), linear discriminant analysis of principal components
("LDA"), the network before training ("start"), and every loss that ``EmbeddingNet(loss=...)`` takes by name.  Beside it
is the loss of pytorch-metric-learning with the same definition, with the same network, batches and number of steps: the
defaults of EmbeddingNet, but all similar samples are positives, as theirs has no other way, and 20 epochs of batches
of 64, with which a run for forty losses takes less than three hours of one core.  "!" marks where theirs is above ours.

Each row has the best of at most four settings, by MAP@R on every third training class after training on the others,
with one seed.  With that setting it is trained on all training classes, with five seeds.  Run
``python bench_catalogue.py --data DIR``, or set METRICNETS_DATA.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from _catalogue import N_SETTINGS, NAMES, peers
from _options import parser_of
from _tables import run, show, verdict
from _unseen import BASELINES, UNSEEN, halves, judged

PUBLISHED = ["olivetti", "alphadigits", "silhouettes", "mnist", "news20"]
COLUMNS = ["MAP@R", "P@1", "R-prec.", "theirs: MAP@R", "P@1", "R-prec."]


def note(arguments, result):
    """Print a row as soon as it is known."""
    dataset, kind, name = arguments[:3]
    score = result.get("failed") or f"MAP@R {np.mean(result['scores'], axis=0)[0]:.1f} with {result['chosen']}"
    print(f"  {dataset}, {kind}, {name}: {score} ({result.get('total', np.nan):.0f} s)", flush=True)


def percent(values, mark=""):
    """Mean and standard deviation over seeds; nothing of unknown ones."""
    if np.isnan(values).any():
        return ""
    return f"{values.mean():.1f}" + (f" ± {values.std():.1f}" if len(values) > 1 else "") + (mark or " ")


def table(found):
    """Rows of cells, of a dictionary (kind, name) -> scores (n_seeds, 3)."""
    unknown, rows = np.full((1, 3), np.nan), {}
    for kind, name in found:
        if kind != "theirs":
            scores, others = found[kind, name], found.get(("theirs", name), unknown)
            marks = np.where(rounded(others) > rounded(scores), "!", "")
            rows[name] = [*map(percent, scores.T), *map(percent, others.T, marks)]
    return rows | {"best": [percent(score) for kind in ("ours", "theirs") for score in best(found, kind)[:, None]]}


def best(found, kind):
    """The largest mean of each of the three scores, as it is printed; NaN if there is none."""
    means = [rounded(scores) for (of, _), scores in found.items() if of == kind]
    return np.fmax.reduce([np.full(3, np.nan), *means])


def rounded(scores):
    return scores.mean(axis=0).round(1)


def arguments():
    quick = "digits, five epochs, one setting and one seed"
    parser = parser_of(__doc__, quick=quick, seeds="of networks, after the choice", n_seeds=5)
    parser.add_argument("--sets", nargs="+", choices=UNSEEN, default=PUBLISHED, metavar="SET")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="LOSS", help=", ".join(NAMES))
    parser.add_argument("--init", choices=["wccn", "identity"], default="wccn", help="start of the network")
    keeps = "file that keeps finished rows, for the next run with the same losses and grids"
    parser.add_argument("--resume", type=Path, help=keeps)
    options = parser.parse_args()
    options.sets = ["digits"] if options.quick else options.sets
    options.sizes = (5, 1, 1) if options.quick else (20, N_SETTINGS, options.seeds)  # epochs, settings, seeds
    return options


def available(options):
    """The data sets whose files are there."""
    found = [name for name in options.sets if halves(name, options.data)]
    for name in options.sets:
        if name not in found:
            print(f"{name} is left out: give --data DIR or METRICNETS_DATA, with {UNSEEN[name][0]}.")
    return found


def measured(sets, options):
    """Scores (n_seeds, 3) of each row, of each data set; NaN of rows that failed."""
    rows = [("baseline", name) for name in BASELINES] + [("ours", name) for name in options.only]
    rows += [("theirs", name) for name in peers() if name in options.only]
    jobs = [(judged, options.data, name, *row, options.init, *options.sizes) for name in sets for row in rows]
    results = iter(run(jobs, n_jobs=options.jobs, resume=options.resume, note=note))
    return {name: {row: np.array(next(results).get("scores", [[np.nan] * 3])) for row in rows} for name in sets}


def main():
    options = arguments()
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the processes: few rows for many features
    warnings.simplefilter("ignore")
    if not (sets := available(options)):
        return
    found = measured(sets, options)
    for name in sets:
        show(f"{name}: per cent, ± over seeds; !: theirs is above ours", COLUMNS, table(found[name]), least=13)
    if len(sets) > 1:
        means = {row: sum(found[name][row] for name in sets) / len(sets) for row in found[sets[0]]}
        show(f"mean of {', '.join(sets)}", COLUMNS, table(means), least=13)
    if peers():
        above = [best(found[name], "ours")[0] >= best(found[name], "theirs")[0] for name in sets]
        verdict("the best MAP@R of ours is at least that of theirs", above, len(sets))


if __name__ == "__main__":
    main()

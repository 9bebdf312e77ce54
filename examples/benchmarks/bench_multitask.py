"""Coupled tasks: MultiTaskNet, with and without couplings, and its single-task models.

*News* (20 newsgroups, 1000 words): two tasks, the 20 groups and the 7 topics to which they belong.  For each draw and
number n, n training rows are annotated in each task, none of them or a tenth in both; accuracies are of all test rows.
Counts are log(1 + x), rows of unit norm.  Relatedness is given, the shares of the topics in each group of the training
rows and the other way round, or inferred or counted from the rows that are drawn.  A logistic regression, C = 10, and
EmbeddingNet(loss="cosface") of each task alone are for reference.  Parts of the coupling are measured with 100
rows a task.

*Digits* (scikit-learn's): four tasks that hardly depend on each other beyond the digit: whether it is odd, whether it
has a loop, whether it is above 4, and whether the image has more ink than the median of its digit; 60 rows each, a
fifth of them annotated in all.  Relatedness is inferred.

Run ``python bench_multitask.py --data DIR``, or set METRICNETS_DATA.
"""

import warnings

import numpy as np
import pandas as pd
from _options import folder_of, parser_of
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from metricnets import EmbeddingNet, MultiTaskNet

FILES = ("news20_w1000.npz",)
SIZES, SHARES = (100, 400, 1600), (0.0, 0.1)
TASKS = {"news": ["group", "topic"], "digits": ["odd", "loop", "above 4", "ink"]}


def of_parts(seed, R, **params):
    """A learner with this relatedness, and some of the couplings."""
    return MultiTaskNet(relatedness=R, random_state=seed, **params)


LEARNERS = {
    "logistic regression": lambda seed, R: LogisticRegression(C=10, max_iter=2000),
    "EmbeddingNet, CosFace": lambda seed, R: EmbeddingNet(loss="cosface", random_state=seed),
    "single": lambda seed, R: MultiTaskNet(random_state=seed),
    "uncoupled": lambda seed, R: MultiTaskNet(coupling=None, random_state=seed),
    "distribution matching": lambda seed, R: of_parts(seed, R, coupling="distribution_matching", combine=False),
    "soft co-annotation": lambda seed, R: of_parts(seed, R, coupling="soft_co_annotation", combine=False),
    "combined predictions": lambda seed, R: of_parts(seed, R, coupling_weight=0.0),
    "coupled": lambda seed, R: of_parts(seed, R),
    "coupled, inferred": lambda seed, R: MultiTaskNet(random_state=seed),
    "coupled, counted": lambda seed, R: MultiTaskNet(relatedness="counted", random_state=seed),
}
OF_ONE = ("logistic regression", "EmbeddingNet, CosFace", "single")
MAIN = ("single", "uncoupled", "coupled", "coupled, inferred", "coupled, counted")  # with more than 100 rows
NOTHING_GIVEN = [name for name in LEARNERS if name not in ("coupled, inferred", "coupled, counted")]


def news(folder):
    """Points, the two tasks, and the rows to train and to test on."""
    with np.load(folder / FILES[0]) as table:
        X, groups, topics, train, test = (table[key] for key in ("X", "y", "y_super", "train", "test"))
    return normalize(np.log1p(X)).astype(np.float32), np.stack([groups, topics], axis=1).astype(int), train, test


def digits():
    """Points and four tasks."""
    X, y = load_digits(return_X_y=True)
    ink = X.sum(axis=1)
    median = np.array([np.median(ink[y == digit]) for digit in range(10)])
    return X, np.stack([y % 2, np.isin(y, (0, 6, 8, 9)), y > 4, ink > median[y]], axis=1).astype(int)


def relatedness(Y, a, b):
    """Shares of the classes of b in each class of a."""
    counts = np.zeros((Y[:, a].max() + 1, Y[:, b].max() + 1))
    np.add.at(counts, (Y[:, a], Y[:, b]), 1)
    return pd.DataFrame(counts / counts.sum(axis=1, keepdims=True))


def annotated(Y, rows, n, share, rng):
    """Rows to train on, and their classes: n of them annotated in each task, the share of them in all tasks."""
    n_tasks, n_all = Y.shape[1], int(share * n)
    rows = rng.permutation(rows)[: n_all + n_tasks * (n - n_all)]
    task = np.concatenate([np.full(n_all, -1), np.repeat(np.arange(n_tasks), n - n_all)])
    known = (task[:, None] == -1) | (task[:, None] == np.arange(n_tasks))
    return rows, np.where(known, Y[rows], -1)


def accuracies(name, X, Y, codes, X_test, Y_test, R, seed):
    """Accuracy of each task on the test rows."""
    make = LEARNERS[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no sample of y is annotated in two tasks")
        if name not in OF_ONE:
            return (make(seed, R).fit(X, codes).predict(X_test) == Y_test).mean(axis=0)
        known = [codes[:, t] >= 0 for t in range(codes.shape[1])]
        models = [make(seed, R).fit(X[some], codes[some, t]) for t, some in enumerate(known)]
    return np.array([(model.predict(X_test) == Y_test[:, t]).mean() for t, model in enumerate(models)])


def draw_of_news(data, names, n, share, seed):
    """Accuracies of these learners in one draw, (n_learners, 2)."""
    X, Y, train, test = data
    rows, codes = annotated(Y, train, n, share, np.random.default_rng(seed))
    R = {(0, 1): relatedness(Y[train], 0, 1), (1, 0): relatedness(Y[train], 1, 0)}
    return [accuracies(name, X[rows], Y[rows], codes, X[test], Y[test], R, seed) for name in names]


def draw_of_digits(data, names, seed):
    """Accuracies of these learners in one draw, (n_learners, 4)."""
    X, Y = data
    rows, codes = annotated(Y, np.arange(len(X)), 60, 0.2, np.random.default_rng(seed))
    test = np.setdiff1d(np.arange(len(X)), rows)
    return [accuracies(name, X[rows], Y[rows], codes, X[test], Y[test], "inferred", seed) for name in names]


def show(title, tasks, names, found):
    """Print the mean of each learner and task over draws, and how each differs from the single-task model."""
    found = np.array(found)  # (n_draws, n_learners, n_tasks)
    print(
        f"\n{title}\n{'':24}" + "".join(f"{task:>9}" for task in tasks) + "     mean   differences from single (± s.e.)"
    )
    single = found[:, names.index("single")]
    for j, name in enumerate(names):
        difference = found[:, j] - single
        errors = difference.std(axis=0, ddof=1) / len(found) ** 0.5 if len(found) > 1 else np.zeros(len(tasks))
        cells = "".join(f"{value:9.3f}" for value in [*found[:, j].mean(axis=0), found[:, j].mean()])
        print(
            f"{name:24}{cells}   " + "  ".join(f"{d:+.3f} ± {e:.3f}" for d, e in zip(difference.mean(axis=0), errors))
        )


def main():
    """Parse the options, and print a table for each setting."""
    parser = parser_of(__doc__, quick="two draws, 100 rows, few learners", seeds="number of draws", n_seeds=5)
    options = parser.parse_args()
    names = ["single", "uncoupled", "coupled"] if options.quick else list(LEARNERS)
    seeds = range(2 if options.quick else options.seeds)
    run = Parallel(n_jobs=options.jobs)
    weak = [name for name in names if name in NOTHING_GIVEN]
    data = digits()
    found = run(delayed(draw_of_digits)(data, weak, seed) for seed in seeds)
    show("digits, 60 rows a task, 20 % in all, relatedness inferred", TASKS["digits"], weak, found)
    folder = folder_of(options, FILES)
    if folder is None:
        return
    data = news(folder)
    for n in SIZES[: 1 if options.quick else None]:
        for share in SHARES:
            some = [name for name in names if (share or name != "coupled, counted") and (n == SIZES[0] or name in MAIN)]
            found = run(delayed(draw_of_news)(data, some, n, share, seed) for seed in seeds)
            show(f"news, {n} rows a task, {share:.0%} in both", TASKS["news"], some, found)


if __name__ == "__main__":
    main()

"""Classes of image sets: MMDML, nearest sets, and what each part of MMDML is for, on ETH-80.

Half of the ten objects of each of the eight categories are training sets of 41 views, and the others are test sets;
each draw is a stratified split of the objects.  The files are not shipped: give ``--data DIR``, or set METRICNETS_DATA.
"""

import time
from functools import partial

import numpy as np
from _options import folder_of, parser_of
from _tables import run, show
from scipy.spatial.distance import cdist
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from metricnets import MMDML
from metricnets.metrics import mutual_subspace_distance, one_per_set, set_distances

FILE = "eth80.npz"
CELL, N_BINS = 4, 8  # pixels, directions


def gradients(images):
    """Histograms of oriented gradients, of blocks of four cells, whose norm is scaled to about 1."""
    dy, dx = np.gradient(images, axis=(1, 2))
    turn = np.arctan2(dy, dx) % np.pi / np.pi * N_BINS
    n, lower = images.shape[1] // CELL, turn.astype(int)
    cells = np.zeros((len(images), n, n, N_BINS))
    for b in range(N_BINS):  # a gradient counts in the two nearest bins
        share = (lower % N_BINS == b) * (1 - turn + lower) + ((lower + 1) % N_BINS == b) * (turn - lower)
        cells[..., b] = (np.hypot(dx, dy) * share).reshape(-1, n, CELL, n, CELL).sum(axis=(2, 4))
    blocks = np.concatenate([cells[:, i : n - 1 + i, j : n - 1 + j] for i in (0, 1) for j in (0, 1)], axis=-1)
    squares = (blocks**2).sum(axis=-1, keepdims=True)
    return normalize((blocks / np.sqrt(squares + 0.01 * squares.mean())).reshape(len(images), -1))


FEATURES = {"pixels": ("X", lambda X: X), "gradients": ("X32", lambda X: gradients(X.reshape(-1, 32, 32)))}
DISTANCES = {
    "minimum distance": "minimum",
    "mutual subspace": "mutual_subspace",
    "affine hull": "affine_hull",
    "mean nearest distance": "mean_nearest",
    "mutual subspace, centred": partial(mutual_subspace_distance, n_components=5, center=True),
}
SLOW = {"convex hull": "convex_hull"}
PAPER = {
    "common_space": True, "other_sets": False, "distance": "minimum", "margin": 0.0, "init": "glorot",
    "hidden": (200, 100), "n_components": 50, "activation": "tanh", "activate_output": True,
    "normalize": False, "dropout": 0.0, "input_dropout": 0.0, "optimizer": "sgd", "weight_decay": 1e-4,
}  # fmt: skip
NETWORKS = {
    "MMDML": {},
    "MMDML, shrinkage=1": {"shrinkage": 1.0, "max_epochs": 1},
    "MMDML, shrinkage='auto'": {"shrinkage": "auto"},
    "MMDML, alpha=0": {"alpha": 0.0},
    "MMDML, minimum distance": {"distance": "minimum"},
    "MMDML, other_sets=False": {"other_sets": False},
    "MMDML, common_space=True": {"common_space": True},
    "MMDML, the paper's setting": PAPER,
}
BAR, PAPERS_FIGURE = 87.8, 94.5


def read(folder, features):
    """Points, classes and sets."""
    with np.load(folder / FILE) as data:
        key, of_images = FEATURES[features]
        return of_images(data[key].astype(float)), data["y"], data["set_id"]


def draws(sets, classes, n):
    """Training and test sets of each draw."""
    return [train_test_split(sets, test_size=0.5, stratify=classes, random_state=seed) for seed in range(n)]


def of_distance(folder, features, name, n_draws):
    """Accuracies of the nearest set, one for each draw; distances are computed once."""
    X, y, groups = read(folder, features)
    sets, classes = one_per_set(groups, y)
    if name == "mean vector":
        means = [X[groups == s].mean(axis=0) for s in sets]
        d = cdist(means, means)
    else:
        d = set_distances(X, groups, distance=(DISTANCES | SLOW)[name])
    parts = draws(np.arange(len(sets)), classes, n_draws)
    found = [classes[train][d[np.ix_(test, train)].argmin(axis=1)] == classes[test] for train, test in parts]
    return {"accuracy": [100 * float(right.mean()) for right in found]}


def of_network(folder, features, name, draw):
    """Accuracy of MMDML in one draw, and the seconds of its fit."""
    X, y, groups = read(folder, features)
    train, test = (np.isin(groups, sets) for sets in draws(*one_per_set(groups, y), draw + 1)[draw])
    mmdml, begin = MMDML(random_state=draw, **NETWORKS[name]), time.process_time()
    mmdml.fit(X[train], y[train], groups=groups[train])
    seconds = time.process_time() - begin
    return {"accuracy": 100 * mmdml.score(X[test], y[test], groups[test]), "seconds": seconds}


def arguments():
    parser = parser_of(__doc__, quick="two draws, three methods", seeds="draws of the training sets", n_seeds=10)
    parser.add_argument("--only", nargs="+", choices=[*NETWORKS], metavar="NETWORK")
    parser.add_argument("--convex", action="store_true", help="also convex hulls, which take minutes")
    parser.add_argument("--resume", help="file that keeps finished rows")
    return parser.parse_args()


def main():
    options = arguments()
    folder = folder_of(options, [FILE])
    if folder is None:
        return
    if not (folder / FILE).is_file():
        print(f"{folder / FILE} is not there: nothing was measured.")
        return
    n_draws = 2 if options.quick else options.seeds
    distances = [
        "mean vector",
        *(["minimum distance"] if options.quick else DISTANCES),
        *(SLOW if options.convex else []),
    ]
    networks = options.only or (["MMDML"] if options.quick else [*NETWORKS])
    rows = {}
    for name in distances:
        cells = [run([(of_distance, folder, f, name, n_draws)], n_jobs=1, resume=options.resume)[0] for f in FEATURES]
        rows[name] = [summary(cell["accuracy"]) for cell in cells]
    for name in networks:
        jobs = [(of_network, folder, f, name, draw) for f in FEATURES for draw in range(n_draws)]
        found = run(jobs, n_jobs=options.jobs, resume=options.resume)
        parts = [found[:n_draws], found[n_draws:]]
        rows[name] = [summary([result["accuracy"] for result in part]) for part in parts]
        rows[name].append(f"{np.mean([result['seconds'] for result in found]):.1f}")
    show(
        f"Accuracy of sets in per cent, mean ± standard deviation of {n_draws} draws", [*FEATURES, "CPU seconds"], rows
    )
    if "MMDML" in rows:
        print(f"\nminimum distance + 8 points is {BAR}, and the paper has {PAPERS_FIGURE}: MMDML {rows['MMDML'][0]}")


def summary(values):
    return f"{np.mean(values):.2f} ± {np.std(values):.2f}"


if __name__ == "__main__":
    main()

"""Ablation of HRAML: one change at a time, without the use of a test part."""

from pathlib import Path

import numpy as np
from _settings import FROM_RANDOM, columns
from _tables import cell, run, show
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import AAKNN, HRAML, MLKNN
from metricnets.protocols import multilabel_split

BASES = {  # set -> its table, and what is begun with: the benchmark's choice, but one network
    "emotions": (2, {"relation": "jaccard", "dropout": 0.5, "skip": 1}),
    "flags": (2, {"relation": "jaccard", "dropout": 0.5, "skip": 1}),
    "SJAFFE": (3, {"relation": "overlap", "dropout": 0.5, "skip": 1}),
    "uspst": (1, {"dropout": 0.0, "skip": 1}),
}
BY_TABLE = {1: ["same_class"], 2: ["jaccard", "hamming", "cosine"], 3: ["overlap", "symmetric_kl", "hellinger"]}
PAPERS_OWN = {"init": "uniform", "scale": 2.0, "sampler": "pairs"}
PAPERS_OWN |= {"optimizer": "sgd", "lr_schedule": None, "weight_decay": "auto"}
CHANGES = {
    "as begun": {},
    "the paper's own": PAPERS_OWN,
    "the paper's own, no dropout, no skip": PAPERS_OWN | {"dropout": 0.0, "skip": 0},
}
CHANGES |= {
    f"{name}={value}": {name: value}
    for name, values in {
        "n_networks": [3, 5],
        "dropout": [0.0, 0.5, 0.8],
        "input_dropout": [0.5],
        "skip": [0, 0.25, 4],
        "max_epochs": [30],
        "sampler": ["shuffled", "pairs"],
        "relation": ["hamming", "cosine", "symmetric_kl", "hellinger"],
        "scale": [1.0, 2.0, 3.0, 4.0],
        "activation": ["relu"],
        "activate_output": [False],
        "normalize": [False],
        "weight_decay": [0.01, 3.0],
        "hard_fraction": [0.5, 0.25],
        "early_stopping": [True],
        "hidden": [(), (256, 128)],
    }.items()
    for value in values
}


def ablated(folder, file, name, change, seed):
    """Validation score of HRAML with something changed: precision, accuracy or intersection."""
    table, base = BASES[name]
    with np.load(Path(folder) / file) as data:
        X, Y = data["X"].astype(float), data["y" if table == 1 else "Y"]
        rows = data["train"] if table == 2 else np.arange(len(X))  # the test part of a published split is not used
    params = FROM_RANDOM["HRAML"] | base | CHANGES[change]
    metric = HRAML(random_state=seed, **params | {"n_components": columns(params, X.shape[1])})
    if table == 1:  # the training part of the first fold of the table, one hold-out
        rows = next(StratifiedKFold(10, shuffle=True, random_state=0).split(X, Y))[0]
        i, j = train_test_split(rows, test_size=0.2, stratify=Y[rows], random_state=seed)
        return {"score": make_pipeline(metric, KNeighborsClassifier(3)).fit(X[i], Y[i]).score(X[j], Y[j])}
    found = []
    for i, j in KFold(3, shuffle=True, random_state=seed).split(rows):
        i, j = rows[i], rows[j]
        if table == 2:
            scores = multilabel_split(MLKNN(metric=metric), X, Y, i, j, scaling="train")
            found.append(scores["average_precision"])
        else:
            model = AAKNN(metric=make_pipeline(StandardScaler(), metric)).fit(X[i], Y[i])
            found.append(np.minimum(model.predict(X[j]), Y[j]).sum(axis=1).mean())
    return {"score": float(np.mean(found))}


def makes_sense(change, name):
    """Whether a change is one, and suits the set's targets: relations, and batches by class or not."""
    params, (table, base) = CHANGES[change], BASES[name]
    if "relation" in params and params["relation"] not in BY_TABLE[table]:
        return False
    if params == {"sampler": "shuffled"}:
        return table == 1
    return not params or any(base.get(key) != value for key, value in params.items())


def run_ablation(options, files):
    """Measure and print; ``files`` is table -> set -> (file, ...)."""
    sets = [name for name, (table, _) in BASES.items() if (options.data / files[table][name][0]).is_file()]
    seeds = range(min(3, options.seeds))
    cells = [(name, change, seed) for change in CHANGES for name in sets if makes_sense(change, name) for seed in seeds]
    jobs = [(ablated, options.data, files[BASES[name][0]][name][0], name, *rest) for name, *rest in cells]
    found = dict(zip(cells, run(jobs, n_jobs=options.jobs, resume=options.resume)))
    score = {key: result["score"] for key, result in found.items() if "score" in result}
    rows = {}
    for change in CHANGES:
        scores = [np.array([score.get((name, change, seed), np.nan) for seed in seeds]) for name in sets]
        begun = [np.array([score.get((name, "as begun", seed), np.nan) for seed in seeds]) for name in sets]
        gains = [(ours - base).mean() for ours, base in zip(scores, begun)]
        rows[change] = [*map(cell, scores), f"{np.nanmean(gains):+.4f}"]
    for name in sets:
        print(f"{name} begins with {BASES[name][1]}")
    show("Ablation of HRAML: score on validation parts, mean ± std of seeds", [*sets, "mean gain"], rows)

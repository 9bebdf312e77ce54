"""Functions shared by the tables of bench_hraml.py: scores of the paper, learners, choice of parameters, output."""

import json
import time
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
from _settings import FROM_RANDOM, columns
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from tqdm.auto import tqdm

import metricnets
from metricnets.metrics import multilabel_scores

ITERATIVE = {"NCA", "MLKR"}  # at most 30 iterations, as in scikit-learn's NCA

# kNN accuracy, mean and standard deviation, on uspst, binalpha, news20, MnistDat and caltech101
PAPER_CLASSES = {
    "ITML": (0.8979, 0.0261, 0.6303, 0.0501, 0.8678, 0.0200, 0.8695, 0.0142, 0.5803, 0.0162),
    "LDML": (0.9084, 0.0243, 0.6542, 0.0317, 0.8816, 0.0145, 0.8858, 0.0124, 0.5528, 0.0157),
    "LMNN": (0.9096, 0.0217, 0.6112, 0.0358, 0.8734, 0.0290, 0.8721, 0.0255, 0.5795, 0.0126),
    "DoubletSVM": (0.9125, 0.0172, 0.5625, 0.0322, 0.8594, 0.0159, 0.8848, 0.0194, 0.5584, 0.0159),
    "GMML": (0.8858, 0.0168, 0.5338, 0.1986, 0.8647, 0.0143, 0.8589, 0.0171, 0.5500, 0.0117),
    "DML": (0.8030, 0.0330, 0.5063, 0.0251, 0.8166, 0.0222, 0.8323, 0.0239, 0.3936, 0.0123),
    "RAML-SVR": (0.9525, 0.0147, 0.7250, 0.0348, 0.9025, 0.0132, 0.9019, 0.0175, 0.5855, 0.0095),
    "RAML-KRR": (0.9447, 0.0157, 0.6850, 0.0351, 0.9217, 0.0145, 0.9087, 0.0137, 0.5803, 0.0147),
    "HRAML": (0.9537, 0.0202, 0.7243, 0.0262, 0.9436, 0.0133, 0.8983, 0.0168, 0.6015, 0.0161),
}
# Hamming loss, ranking loss, one error, coverage, average precision
LABEL_SCORES = ["Hamming ↓", "ranking ↓", "one error ↓", "coverage ↓", "avg. precision ↑"]
PAPER_LABELS = {
    "emotions": {
        "MLKNN": (0.2137, 0.1729, 0.3317, 1.9158, 0.7808),
        "RAML-SVR": (0.2054, 0.1577, 0.2376, 1.8960, 0.8101),
        "RAML-KRR": (0.2046, 0.1382, 0.2574, 1.7327, 0.8225),
        "HRAML": (0.2060, 0.1690, 0.2871, 1.8861, 0.8052),
    },
    "flags": {
        "MLKNN": (0.3099, 0.2228, 0.2154, 3.8154, 0.8084),
        "RAML-SVR": (0.2967, 0.2179, 0.2000, 3.8115, 0.8128),
        "RAML-KRR": (0.2967, 0.2113, 0.2000, 3.7692, 0.8112),
        "HRAML": (0.2791, 0.2021, 0.2154, 3.6769, 0.8244),
    },
    "corel5k": {  # of corel800
        "MLKNN": (0.0137, 0.1888, 0.6825, 88.5100, 0.3276),
        "RAML-SVR": (0.0135, 0.1882, 0.6425, 88.2350, 0.3386),
        "RAML-KRR": (0.0134, 0.1888, 0.6550, 88.5100, 0.3388),
        "HRAML": (0.0135, 0.1861, 0.6075, 87.6025, 0.3582),
    },
}
# of Natural_Scene; the paper gives no Kullback–Leibler divergence
DISTRIBUTION_SCORES = ["Chebyshev ↓", "Clark ↓", "Canberra ↓", "KL ↓", "cosine ↑", "intersection ↑"]
PAPER_DISTRIBUTIONS = {
    "AAKNN": (0.3261, 1.8448, 4.3412, np.nan, 0.6905, 0.5506),
    "RAML-SVR": (0.3102, 1.6986, 3.8576, np.nan, 0.7051, 0.5739),
    "RAML-KRR": (0.3139, 1.6865, 3.8419, np.nan, 0.7057, 0.5743),
    "HRAML": (0.2907, 1.7664, 4.0922, np.nan, 0.7321, 0.5929),
}


def run(jobs, *, n_jobs, resume, note=lambda arguments, result: None):
    """Results of jobs ``(function, folder, *arguments)``, dictionaries, in their order.

    Arguments are names and numbers, under which finished jobs are kept in the file ``resume``.  A
    job that raises ValueError has the result ``{"failed": why}``; ``note(arguments, result)`` is
    called as soon as there is a result.
    """
    known = {}
    if resume and Path(resume).is_file():
        known = {json.dumps(key): result for key, result in map(json.loads, Path(resume).read_text().splitlines())}
    keys = [json.dumps([function.__name__, *arguments]) for function, _, *arguments in jobs]
    for key, job in zip(keys, jobs):
        if key in known:
            note(job[2:], known[key])
    missing = [(key, job) for key, job in zip(keys, jobs) if key not in known]
    done = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(joblib.delayed(_attempt)(*job) for _, job in missing)
    for (key, job), result in zip(missing, tqdm(done, total=len(missing), unit="row", leave=False)):
        known[key] = result
        if resume:
            with Path(resume).open("a") as file:
                file.write(json.dumps([json.loads(key), result]) + "\n")
        note(job[2:], result)
    return [known[key] for key in keys]


def _attempt(function, *arguments):
    begin = time.perf_counter()
    try:
        return function(*arguments) | {"total": time.perf_counter() - begin}
    except ValueError as error:
        return {"failed": str(error).splitlines()[0]}


def show(title, columns, rows, least=18):
    """Print a table: ``rows`` is name -> cells, or a heading -> None; columns are at least so wide."""
    width, widths = max(len(name) for name in rows) + 2, [max(least, len(column) + 2) for column in columns]
    print(f"\n{title}\n" + " " * width + line(columns, widths))
    for name, cells in rows.items():
        print((name if cells is None else f"{name:{width}s}" + line(cells, widths)).rstrip(), flush=True)


def line(cells, widths):
    return "".join(f"{cell:>{width}s}" for cell, width in zip(cells, widths))


def cell(values, mark=""):
    """Mean ± standard deviation; no ± of a single value, nothing of none."""
    if not len(values) or np.isnan(values).all():
        return ""
    spread = f" ± {np.std(values):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{spread}{mark}"


def better(ours, theirs, columns):
    """Mask of the scores of ``ours`` that are better, where a column says by an arrow what is."""
    signs = np.array([1 if column.endswith("↑") else -1 for column in columns])
    return signs * (np.asarray(ours) - np.asarray(theirs)) > 0


def verdict(claim, share, wanted):
    """Print a line: on how many scores a claim holds, and whether these are as many as wanted."""
    print(f"  {'yes' if sum(share) >= wanted else 'NO '}  {claim}: {sum(share)} of {len(share)}, wanted {wanted}")


def metric_of(learner, n_features, seed=0, **params):
    """A learner of points from the name of its row: a class of metricnets, for RAML with its solver."""
    if learner == "raw":
        return "passthrough"
    if learner == "NCA of scikit-learn":
        return NeighborhoodComponentsAnalysis(max_iter=30, random_state=seed)
    name, _, solver = learner.partition("-")
    params |= {"solver": solver.lower()} if solver else {}
    params |= {"max_iter": 30} if name in ITERATIVE else {}
    if name in FROM_RANDOM:
        params = FROM_RANDOM[name] | {"n_components": columns(params, n_features)} | params
    metric = getattr(metricnets, name)(**params)
    return metric.set_params(random_state=seed) if "random_state" in metric.get_params() else metric


def choose(candidates, judge):
    """The candidate that ``judge`` gives most; one network stands for several."""
    if len(candidates) == 1:
        return candidates[0]
    alone = [params | ({"n_networks": 1} if "n_networks" in params else {}) for params in candidates]
    return candidates[int(np.argmax([judge(params) for params in alone]))]


def accuracy(model, A, a, B, b):
    return model.fit(A, a).score(B, b)


def scores_of_rows(Y, P):
    """(n, 5): each row's part in the five means, NaN where it has none."""
    rows = np.full((len(Y), 5), np.nan)
    rows[:, 0] = ((P > 0.5) != Y).mean(axis=1)
    for i, (truth, p) in enumerate(zip(Y, P)):
        if 0 < truth.sum() < len(truth):
            rows[i] = list(multilabel_scores(truth[None], p[None]).values())
        elif truth.all():
            rows[i, 3] = len(truth) - 1
    return rows


def intervals(ours, theirs):
    """95 % percentile intervals of our scores and of their difference to others, over draws of test rows."""
    drawn = np.random.default_rng(0).integers(len(ours), size=(2000, len(ours)))
    both = ours, ours - theirs
    return [np.percentile(np.nanmean(rows[drawn], axis=1), [2.5, 97.5], axis=0).T for rows in both]


def tell_choice(name, learner, chosen):
    """Print what was chosen, and in how many folds."""
    counted = Counter(", ".join(f"{key}={value}" for key, value in params.items()) for params in chosen)
    for text, n in counted.most_common() if any(chosen) else ():
        print(f"  {name}, {learner} chose {text}" + (f" ({n} of {len(chosen)} folds)" if len(chosen) > 1 else ""))

"""Learning from some classes and judging on others: data sets, learners with their settings, scores."""

from functools import cache

import numpy as np
import torch
from _catalogue import PEERS, our_settings, their_loss, their_settings
from _datasets import SETS, load, news
from _tables import choose
from sklearn.decomposition import PCA
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from metricnets import LDA, EmbeddingNet
from metricnets.metrics import retrieval_scores

UNSEEN = {name: SETS[name] for name in ("olivetti", "alphadigits", "silhouettes", "mnist", "digits")}
UNSEEN |= {"news20": ("news20_w1000.npz", news)}
NETWORK = {"n_components": 64, "positive_fraction": 1.0, "batch_size": 64}
BASELINES = {
    "raw": {"unit_norm": [False, True]},
    "PCA": {"unit_norm": [False, True], "share": [0.9, 0.99]},
    "LDA": {"unit_norm": [False, True], "share": [0.9, 0.99]},
    "start": {},
}
SCORES = ["map_at_r", "precision_at_k", "r_precision"]


# ---- learners of a name, a setting, the parameters of the network, and the number of classes


def baseline(name, setting, network, n_classes):
    if name == "start":
        return EmbeddingNet(**network | {"lr": 1e-9, "max_epochs": 1})
    steps = [] if name == "raw" else [PCA(setting["share"])]
    steps += [LDA(solver="eigen", shrinkage="auto")] if name == "LDA" else []
    steps += [Normalizer()] if setting["unit_norm"] else []
    return make_pipeline(StandardScaler(with_std=False), *steps)


def ours(name, setting, network, n_classes):
    return EmbeddingNet(**network | setting)


def theirs(name, setting, network, n_classes):
    torch.manual_seed(network["random_state"])  # of the parameters of the loss
    loss = their_loss(name, network["n_components"], n_classes, **setting)
    return EmbeddingNet(loss=loss, **network | PEERS[name].net)


KINDS = {
    "baseline": (lambda name: list(ParameterGrid(BASELINES[name])), baseline),
    "ours": (our_settings, ours),
    "theirs": (their_settings, theirs),
}


# ---- scores


@cache
def halves(dataset, folder):
    """Points and class codes of the classes to learn from, and of the others; None without the file."""
    found = load(dataset, folder, UNSEEN)
    if found is None:
        return None
    classes, codes = np.unique(found.y, return_inverse=True)
    seen = codes < len(classes) // 2
    return found.X[seen], codes[seen], found.X[~seen], codes[~seen]


def scores(learner, X, y, X_test, y_test):
    """Per cent, each of ``SCORES``."""
    found = retrieval_scores(learner.fit(X, y).transform(X_test), y_test, k=1)
    return [100 * found[score] for score in SCORES]


def judged(folder, dataset, kind, name, init, n_epochs, n_settings, n_seeds):
    """Scores (n_seeds, 3) on the classes that were not seen, and the setting that was chosen."""
    X, y, X_test, y_test = halves(dataset, folder)
    held, network = y % 3 == 1, NETWORK | {"init": init, "max_epochs": n_epochs}
    settings, make = KINDS[kind]

    def learner(setting, seed, y):
        return make(name, setting, network | {"random_state": seed}, len(np.unique(y)))

    def on_held_out(setting):
        try:
            return scores(learner(setting, 0, y[~held]), X[~held], y[~held], X[held], y[held])[0]
        except ValueError:  # the loss may be no longer finite
            return -1.0

    chosen = choose(settings(name)[:n_settings], on_held_out)
    seeds = range(1 if kind == "baseline" else n_seeds)
    return {"scores": [scores(learner(chosen, s, y), X, y, X_test, y_test) for s in seeds], "chosen": str(chosen)}

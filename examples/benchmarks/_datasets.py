"""Data sets of classes by name, with their splits: those of scikit-learn, and files of a folder."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

N_DRAWN = 2500  # of large sets


class Dataset(NamedTuple):
    X: np.ndarray
    y: np.ndarray
    split: Callable  # (y, seed) -> rows to learn from, rows to judge


# ---- splits


def stratified(y, seed):
    return train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed)


def by_objects(y, seed, *, objects):
    """Half of the objects of each class on either side, all of their views."""
    names, first = np.unique(objects, return_index=True)
    parts = train_test_split(names, test_size=0.5, stratify=y[first], random_state=seed)
    return [np.flatnonzero(np.isin(objects, part)) for part in parts]


def few_of_each(y, seed, *, pool, test, n_per_class):
    """The same number of rows of each class, drawn from a pool, and a test part that is published."""
    rows = np.random.default_rng(seed).permutation(pool)
    drawn = [rows[y[rows] == c][:n_per_class] for c in np.unique(y)]
    return np.concatenate(drawn), test


# ---- data sets of the arrays in a file


def whole(data, points="X"):
    return Dataset(floating(data[points]), data["y"], stratified)


def drawn(data):
    X, _, y, _ = train_test_split(data["X"], data["y"], train_size=N_DRAWN, stratify=data["y"], random_state=0)
    return Dataset(floating(X), y, stratified)


def news(data):
    return drawn({"X": TfidfTransformer(sublinear_tf=True).fit_transform(data["X"]).toarray(), "y": data["y"]})


def eth80(data):
    return Dataset(data["X"], data["y"], partial(by_objects, objects=data["set_id"]))


def banking(data, n_per_class):
    split = partial(few_of_each, pool=data["train"], test=data["test"], n_per_class=n_per_class)
    return Dataset(floating(data["X"]), data["y"], split)


def surf(data):
    """The first domain, rows divided by their sum, then columns standardised."""
    X, y = (data[key][data["domain"] == 0] for key in ("X", "y"))
    return Dataset(scale(X / X.sum(axis=1, keepdims=True)), y, stratified)


def lfw(data):
    """Persons with four images or more."""
    kept = np.bincount(data["person"])[data["person"]] >= 4
    return Dataset(data["X"][kept], data["person"][kept], stratified)


def floating(X):
    return X if X.dtype in (np.float32, np.float64) else X.astype(np.float32)


SETS = {  # name: function of scikit-learn, or file and what is made of it
    "iris": (load_iris, None),
    "wine": (load_wine, None),
    "breast cancer": (load_breast_cancer, None),
    "digits": (load_digits, None),
    "uspst": ("uspst.npz", whole),
    "mnist": ("mnist.npz", drawn),
    "alphadigits": ("binaryalphadigs.npz", whole),
    "silhouettes": ("caltech101_silhouettes28.npz", drawn),
    "olivetti": ("olivetti.npz", whole),
    "lfw": ("lfw_view2_lbp_pca500.npz", lfw),
    "eth80": ("eth80.npz", eth80),
    "surf": ("office_caltech10_surf.npz", surf),
    "wikipedia": ("wikipedia.npz", partial(whole, points="X_image")),
    "news": ("news20_rec4_w1000.npz", news),
    "banking, 5": ("banking77_minilm.npz", partial(banking, n_per_class=5)),
    "banking, 10": ("banking77_minilm.npz", partial(banking, n_per_class=10)),
}


def load(name, folder, sets=SETS):
    """The data set of this name; None, if its file is not in the folder."""
    source, make = sets[name]
    if callable(source):
        return Dataset(*source(return_X_y=True), stratified)
    if folder is None or not (Path(folder) / source).is_file():
        return None
    with np.load(Path(folder) / source) as file:
        return make({key: file[key] for key in file})

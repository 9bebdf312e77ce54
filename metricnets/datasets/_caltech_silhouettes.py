"""Caltech 101 silhouettes."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.formats import matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, check_as_frame, classes, documented, numbered

NAME = "caltech101_silhouettes_28_split1.mat"
FILE = RemoteFile(NAME, f"https://people.cs.umass.edu/~marlin/data/{NAME}")
SIZES = {"train": 4100, "val": 2264, "test": 2307}


@documented
def fetch_caltech_silhouettes(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Caltech 101 silhouettes, binary images of objects of 101 classes (classes) [1]_.

    Parameters
    ----------
    {download}
    {return_X_y}
    {as_frame}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of shape (8671, 784), 0 for the object and 1 for the background;
          ``images``: the same of shape (8671, 28, 28).
        - ``target``: ndarray of int of shape (8671,), classes from 0 to 100.
        - ``train``, ``validation`` and ``test``: rows of the published split, of 4100, 2264 and 2307 images.
        - ``feature_names`` and ``target_names``: lists of str; ``DESCR``: str.

    Raises
    ------
    {errors}

    References
    ----------
    .. [1] B. Marlin, K. Swersky, B. Chen, N. de Freitas, "Inductive principles for restricted Boltzmann machine
       learning", AISTATS 2010, https://people.cs.umass.edu/~marlin/data.shtml.

    Examples
    --------
    >>> from metricnets.datasets import fetch_caltech_silhouettes
    >>> silhouettes = fetch_caltech_silhouettes()  # doctest: +SKIP
    >>> silhouettes.images[silhouettes.train].shape  # doctest: +SKIP
    (4100, 28, 28)
    """
    check_as_frame(as_frame)
    contents = load("caltech_silhouettes", [FILE], _read, Options(data_home, download_if_missing, n_retries, delay))
    return answer(contents, fetch_caltech_silhouettes, return_X_y, as_frame)


def _read(path):
    file = matlab(path)
    pixels = [file[f"{part}_data"] for part in SIZES]
    check("sizes", [part.shape for part in pixels], [(n, 784) for n in SIZES.values()])
    labels = [file[f"{part}_labels"] for part in SIZES]
    check("samples with labels", [len(part) for part in labels], list(SIZES.values()))
    names = [str(name) for name in file["classnames"]]
    check("number of classes", len(names), 101)
    images = np.concatenate(pixels).astype(float).reshape(-1, 28, 28).transpose(0, 2, 1)  # MATLAB's by columns
    check("whether pixels are 0 or 1", bool(((images == 0) | (images == 1)).all()), True)
    train, validation, test = np.split(np.arange(len(images)), np.cumsum(list(SIZES.values()))[:-1])
    return Bunch(
        data=images.reshape(len(images), -1),
        images=images,
        target=classes(np.concatenate(labels), len(names)),
        train=train,
        validation=validation,
        test=test,
        feature_names=numbered("pixel", 784),
        target_names=names,
    )

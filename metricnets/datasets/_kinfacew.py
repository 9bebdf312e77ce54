"""KinFaceW."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
from sklearn.utils import Bunch

from metricnets._checks import check_option
from metricnets._lazy import needed
from metricnets.datasets._loading.formats import Archive, grey, matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, documented

URL = "http://www.kinfacew.com/dataset/{}"
RELATIONS = {"fd": "father-dau", "fs": "father-son", "md": "mother-dau", "ms": "mother-son"}  # folders of images
KIN = {"I": (134, 156, 127, 116), "II": (250, 250, 250, 250)}  # numbers of pairs that are kin
SHAPE = 64, 64


@documented
def fetch_kinfacew(
    subset: str = "I",
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load KinFaceW, images of faces of parents and children (pairs) [1]_.

    ======  ======  =====================  ===============  =====
    subset  images  pairs that are kin     other pairs      folds
    ======  ======  =====================  ===============  =====
    I       1066    134, 156, 127 and 116  as many          5
    II      2000    250 of each relation   as many          5
    ======  ======  =====================  ===============  =====

    The relations are father and daughter, father and son, mother and daughter, mother and son.  In subset II both
    images come from the same photograph.  Images are converted to grey levels, which needs Pillow.

    Parameters
    ----------
    subset : {'I', 'II'}, default='I'
        Which data set.
    {download}
    return_X_y : bool, default=False
        Whether to return ``(data[pairs], target)``, pairs of points and their labels, instead of a Bunch.
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of uint8 of shape (n_images, 4096); ``images``: the same of shape (n_images, 64, 64).
        - ``pairs``: ndarray of int of shape (n_pairs, 2), rows of ``data``, parent and child.
        - ``target``: ndarray of int of shape (n_pairs,), +1 for kin and −1 for others.
        - ``fold``: ndarray of int of shape (n_pairs,), from 1 to 5.
        - ``relation``: ndarray of int of shape (n_pairs,), a place in ``relation_names``.
        - ``filenames`` and ``relation_names``: lists of str; ``DESCR``: str.

    Raises
    ------
    ValueError
        If there is no such subset.
    ImportError
        If Pillow is not installed.
    {errors}

    References
    ----------
    .. [1] J. Lu, X. Zhou, Y.-P. Tan, Y. Shang, J. Zhou, "Neighborhood repulsed metric learning for kinship
       verification", IEEE TPAMI 36(2), 2014, http://www.kinfacew.com.

    Examples
    --------
    >>> from metricnets.datasets import fetch_kinfacew
    >>> from metricnets.protocols import cross_validate_pairs
    >>> faces = fetch_kinfacew()  # doctest: +SKIP
    >>> cross_validate_pairs(
    ...     None, faces.pairs, faces.target, faces.fold, preprocessor=faces.data
    ... )["test_accuracy"].mean()  # doctest: +SKIP
    """
    check_option("subset", subset, KIN)
    needed("PIL", "fetch_kinfacew")
    file = RemoteFile(f"KinFaceW-{subset}.zip", URL.format(f"KinFaceW-{subset}.zip"))
    options = Options(data_home, download_if_missing, n_retries, delay)
    contents = answer(load("kinfacew", [file], partial(_read, n_kin=KIN[subset]), options), fetch_kinfacew, False)
    return (contents.data[contents.pairs], contents.target) if return_X_y else contents


def _read(path, n_kin):
    folders = [f"images/{folder}" for folder in RELATIONS.values()]
    with Archive(path) as archive:
        filenames = [f"{folder}/{name}" for folder in folders for name in archive.names(folder, ".jpg")]
        images = [grey(archive[name]) for name in filenames]
        tables = [matlab(archive[f"meta_data/{relation}_pairs.mat"])["pairs"] for relation in RELATIONS]
    check("number of images", len(filenames), 2 * sum(n_kin))
    check("shapes of images", {image.shape for image in images}, {SHAPE})
    row = {name.rpartition("/")[2]: i for i, name in enumerate(filenames)}
    check("numbers of pairs", tuple(map(len, tables)), tuple(2 * n for n in n_kin))
    fold, kin, parent, child = np.concatenate(tables).T
    target = np.where(kin.astype(int) == 1, 1, -1)
    relation = np.repeat(np.arange(4), [2 * n for n in n_kin])
    check("numbers of pairs that are kin", tuple(np.bincount(relation[target > 0], minlength=4).tolist()), n_kin)
    check("folds", np.unique(fold.astype(int)).tolist(), [1, 2, 3, 4, 5])
    return Bunch(
        data=np.array(images).reshape(len(images), -1),
        images=np.array(images),
        pairs=np.array([[row[name] for name in names] for names in zip(parent, child)]),
        target=target,
        fold=fold.astype(np.int64),
        relation=relation,
        filenames=filenames,
        relation_names=list(RELATIONS),
    )

"""Label distributions."""

from __future__ import annotations

import os
from functools import partial

import numpy as np
from sklearn.utils import Bunch

from metricnets._checks import check_option
from metricnets.datasets._loading.formats import matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, check_as_frame, documented, numbered

URL = "https://raw.githubusercontent.com/SpriteMisaka/PyLDL/{}/dataset/{}.mat"
FIRST, SECOND = "b076dea4f5878b9cdf646570538c5b8a3e1aeb2b", "9d68d08a061a39cf9cbdb480a6f0d4847b2ef222"
SETS = {  # name: commit, and numbers of samples, features and labels
    "Movie": (SECOND, (7755, 1869, 5)),
    "SJAFFE": ("4e2eda598553d0fede6aa443854cc37ed11384e8", (213, 243, 6)),
    "Yeast_alpha": (SECOND, (2465, 24, 18)),
    "Yeast_cdc": (SECOND, (2465, 24, 15)),
    "Yeast_cold": (FIRST, (2465, 24, 4)),
    "Yeast_diau": (SECOND, (2465, 24, 7)),
    "Yeast_dtt": (SECOND, (2465, 24, 4)),
    "Yeast_elu": (SECOND, (2465, 24, 14)),
    "Yeast_spo": (FIRST, (2465, 24, 6)),
    "Yeast_spoem": (FIRST, (2465, 24, 2)),
    "emotion6": (FIRST, (1980, 168, 7)),
}


@documented
def fetch_ldl(
    name: str = "SJAFFE",
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load a data set with label distributions [1]_.

    ===============  ==================  =======  ========  ============
    name             domain              samples  features  labels
    ===============  ==================  =======  ========  ============
    ``SJAFFE``       facial expressions  213      243       6
    ``emotion6``     emotions of images  1980     168       7
    ``Movie``        ratings of films    7755     1869      5
    ``Yeast_...``    gene expression     2465     24        from 2 to 18
    ===============  ==================  =======  ========  ============

    ``Yeast_...`` stands for ``Yeast_alpha``, ``Yeast_cdc``, ``Yeast_cold``, ``Yeast_diau``, ``Yeast_dtt``,
    ``Yeast_elu``, ``Yeast_spo`` and ``Yeast_spoem``.  The files are downloaded from the repository of the library
    PyLDL [2]_, at a fixed revision.

    Parameters
    ----------
    name : str, default='SJAFFE'
        Which data set.
    {download}
    {return_X_y}
    {as_frame}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of shape (n_samples, n_features).
        - ``target``: ndarray of shape (n_samples, n_labels), rows that sum to 1.
        - ``feature_names`` and ``target_names``: lists of str, numbered, as the files have no names; ``DESCR``: str.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    {errors}

    References
    ----------
    .. [1] X. Geng, "Label distribution learning", IEEE TKDE 28(7), 2016, http://palm.seu.edu.cn/xgeng/LDL/index.htm.
       emotion6: K.-C. Peng, T. Chen, A. Sadovnik, A. Gallagher, "A mixed bag of emotions: model, predict, and transfer
       emotion distributions", CVPR 2015.
    .. [2] PyLDL, https://github.com/SpriteMisaka/PyLDL.

    Examples
    --------
    >>> from metricnets.datasets import fetch_ldl
    >>> X, Y = fetch_ldl("SJAFFE", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, Y.shape  # doctest: +SKIP
    ((213, 243), (213, 6))
    """
    check_as_frame(as_frame)
    check_option("name", name, SETS)
    commit, sizes = SETS[name]
    file = RemoteFile(f"{name}.mat", URL.format(commit, name))
    options = Options(data_home, download_if_missing, n_retries, delay)
    contents = load("ldl", [file], partial(_read, sizes=sizes), options)
    return answer(contents, fetch_ldl, return_X_y, as_frame)


def _read(path, sizes):
    file = matlab(path)
    data, target = (np.asarray(file[key], dtype=float) for key in ("features", "labels"))
    check("sizes", (*data.shape, *target.shape[1:]), sizes)
    check("samples with labels", len(target), len(data))
    check("negative entries of the distributions", bool((target < 0).any()), False)
    check("whether distributions sum to 1", bool(np.allclose(target.sum(axis=1), 1, atol=1e-3)), True)
    names = numbered("feature", sizes[1]), numbered("label", sizes[2])
    return Bunch(data=data, target=target, feature_names=names[0], target_names=names[1])

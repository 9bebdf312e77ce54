"""VIPeR."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.formats import matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, documented

URL = "https://raw.githubusercontent.com/silasxue/MDF-KISS/215f25ddd6714b627de88ded76e18f67cd7bf61a/data/{}"
FILES = [RemoteFile(name, URL.format(name)) for name in ("viper_features_MDF.mat", "viper_runs100.mat")]
N_PERSONS, N_FEATURES, N_SPLITS = 632, 76, 100


@documented
def fetch_viper(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load features of VIPeR, images of 632 persons by two cameras (re-identification) [1]_.

    The 76 features are those of MDF-KISS [2]_, principal components of colours and textures; its 100 splits have 316
    persons in each part.  The files are downloaded from its repository, at a fixed revision.

    Parameters
    ----------
    {download}
    {return_X_y}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of shape (1264, 76), camera 0 first.
        - ``target``: ndarray of int of shape (1264,), persons from 0 to 631.
        - ``camera``: ndarray of int of shape (1264,), 0 or 1.
        - ``splits``: list of 100 pairs of training and test persons, each an ndarray of shape (316,).
        - ``DESCR``: str.

    Raises
    ------
    {errors}

    References
    ----------
    .. [1] D. Gray, S. Brennan, H. Tao, "Evaluating appearance models for recognition, reacquisition, and tracking",
       PETS 2007.
    .. [2] M. Zeng, Z. Wu, C. Tian, L. Zhang, X. Zhao, "Person re-identification based on a novel Mahalanobis distance
       feature dominated KISS metric learning", Electronics Letters 52(14), 2016.

    Examples
    --------
    >>> from metricnets import XQDA
    >>> from metricnets.datasets import fetch_viper
    >>> from metricnets.protocols import gallery_probe
    >>> viper = fetch_viper()  # doctest: +SKIP
    >>> gallery_probe(XQDA(), viper.data, viper.target, viper.camera == 0, viper.splits[:10])  # doctest: +SKIP
    """
    contents = load("viper", FILES, _read, Options(data_home, download_if_missing, n_retries, delay))
    return answer(contents, fetch_viper, return_X_y)


def _read(features, runs):
    data = np.asarray(matlab(features)["ux2"], dtype=float).T
    check("sizes", data.shape, (2 * N_PERSONS, N_FEATURES))
    runs = matlab(runs)["runs"]
    parts = [np.stack(runs[part]).astype(np.int64) - 1 for part in ("idxtrain", "idxtest")]
    check("sizes of the splits", [part.shape for part in parts], [(N_SPLITS, N_PERSONS // 2)] * 2)
    persons = np.sort(np.hstack(parts), axis=1)
    check("whether splits have each person once", bool((persons == np.arange(N_PERSONS)).all()), True)
    return Bunch(
        data=data,
        target=np.tile(np.arange(N_PERSONS), 2),
        camera=np.repeat([0, 1], N_PERSONS),
        splits=list(zip(*parts)),
    )

"""Multi-label sets of the Mulan library."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
from sklearn.utils import Bunch

from metricnets._checks import check_option
from metricnets.datasets._loading import arff
from metricnets.datasets._loading.formats import Archive
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, check_as_frame, documented

URL = "http://www.uco.es/grupos/kdis/MLLResources/ucobigfiles/Datasets/Original/{}.zip"


class Sizes(NamedTuple):
    """Numbers of features, labels, training and test samples."""

    features: int
    labels: int
    train: int
    test: int


SETS = {
    "corel5k": Sizes(499, 374, 4500, 500),
    "emotions": Sizes(72, 6, 391, 202),
    "flags": Sizes(19, 7, 129, 65),
    "scene": Sizes(294, 6, 1211, 1196),
    "yeast": Sizes(103, 14, 1500, 917),
}


@documented
def fetch_mulan(
    name: str = "emotions",
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load a multi-label data set of the Mulan library, with its published split [1]_.

    ============  =======  ========  ======  =====  ====
    name          domain   features  labels  train  test
    ============  =======  ========  ======  =====  ====
    ``corel5k``   images   499       374     4500   500
    ``emotions``  music    72        6       391    202
    ``flags``     flags    19        7       129    65
    ``scene``     images   294       6       1211   1196
    ``yeast``     genes    103       14      1500   917
    ============  =======  ========  ======  =====  ====

    The files are those of Mulan; they are downloaded from the University of Córdoba [2]_, which distributes them as zip
    archives.

    Parameters
    ----------
    name : {'corel5k', 'emotions', 'flags', 'scene', 'yeast'}, default='emotions'
        Which data set.
    {download}
    {return_X_y}
    {as_frame}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of shape (n_samples, n_features), the training samples first.
        - ``target``: ndarray of 0 and 1 of shape (n_samples, n_labels).
        - ``train`` and ``test``: rows of the published split.
        - ``nominal``: ndarray of bool of shape (n_features,), which features are categories.
        - ``feature_names`` and ``target_names``: lists of str; ``DESCR``: str.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    {errors}

    References
    ----------
    .. [1] G. Tsoumakas, E. Spyromitros-Xioufis, J. Vilcek, I. Vlahavas, "Mulan: a Java library for multi-label
       learning", JMLR 12, 2011, http://mulan.sourceforge.net/datasets-mlc.html.
    .. [2] J. M. Moyano, "Multi-label classification dataset repository", https://www.uco.es/kdis/mllresources/.

    Examples
    --------
    >>> from metricnets.datasets import fetch_mulan
    >>> emotions = fetch_mulan("emotions")  # doctest: +SKIP
    >>> emotions.data[emotions.train].shape, emotions.target[emotions.train].shape  # doctest: +SKIP
    ((391, 72), (391, 6))
    """
    check_as_frame(as_frame)
    check_option("name", name, SETS)
    file = RemoteFile(f"{name}.zip", URL.format(name.capitalize()))
    options = Options(data_home, download_if_missing, n_retries, delay)
    contents = load("mulan", [file], partial(_read, name=name), options)
    return answer(contents, fetch_mulan, return_X_y, as_frame)


def _read(path, name):
    with Archive(path) as archive:
        train, test = (arff.read(archive[f"{name}-{part}.arff"].decode()) for part in ("train", "test"))
        labels = [label.get("name") for label in ElementTree.fromstring(archive[f"{name}.xml"])]
    is_label = np.isin(train.names, labels)
    check("columns of the test part", test.names.tolist(), train.names.tolist())
    sizes = Sizes(int((~is_label).sum()), int(is_label.sum()), len(train.values), len(test.values))
    check("sizes", sizes, SETS[name])
    values = np.concatenate([train.values, test.values])
    target = values[:, is_label]
    check("values of labels", np.unique(target).tolist(), [0.0, 1.0])
    return Bunch(
        data=values[:, ~is_label],
        target=target.astype(np.int64),
        train=np.arange(sizes.train),
        test=np.arange(sizes.train, len(values)),
        nominal=train.nominal[~is_label],
        feature_names=train.names[~is_label].tolist(),
        target_names=train.names[is_label].tolist(),
    )

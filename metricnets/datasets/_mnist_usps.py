"""MNIST and USPS as two domains."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.formats import matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, check_as_frame, classes, documented, numbered

FILE = RemoteFile("MNIST_vs_USPS.mat", None)
SOURCE = "The data of joint distribution adaptation (M. Long et al., ICCV 2013) include it."
SIZES = 2000, 1800  # of the two domains


@documented
def fetch_mnist_usps(
    *,
    data_home: str | os.PathLike | None = None,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the subsets of MNIST and USPS of joint distribution adaptation (domain adaptation) [1]_.

    2000 images of MNIST and 1800 of USPS, of 16 × 16 pixels.  Usually rows are scaled to unit norm.

    There is no public URL of the file, ``MNIST_vs_USPS.mat``: put it in the subfolder ``metricnets/mnist_usps`` of
    ``data_home``.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder of all data sets; None for scikit-learn's, see :func:`sklearn.datasets.get_data_home`.
    {return_X_y}
    {as_frame}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of shape (3800, 256), from 0 to 1.
        - ``target``: ndarray of int of shape (3800,), the digits, which the file numbers from 1.
        - ``domain``: ndarray of int of shape (3800,), a place in ``domain_names``, MNIST or USPS.
        - ``domain_names``, ``feature_names`` and ``target_names``: lists of str; ``DESCR``: str.

    Raises
    ------
    OSError
        If the file is not there, or damaged.

    References
    ----------
    .. [1] M. Long, J. Wang, G. Ding, J. Sun, P. S. Yu, "Transfer feature learning with joint distribution adaptation",
       ICCV 2013.

    Examples
    --------
    >>> from metricnets.datasets import fetch_mnist_usps
    >>> digits = fetch_mnist_usps()  # doctest: +SKIP
    >>> digits.data[digits.domain == 0].shape  # doctest: +SKIP
    (2000, 256)
    """
    check_as_frame(as_frame)
    options = Options(data_home, download_if_missing=True, n_retries=1, delay=1.0)
    contents = load("mnist_usps", [FILE], _read, options, SOURCE)
    return answer(contents, fetch_mnist_usps, return_X_y, as_frame)


def _read(path):
    file = matlab(path)
    data = [np.asarray(file[key], dtype=float).T for key in ("X_src", "X_tar")]
    check("sizes", [rows.shape for rows in data], [(n, 256) for n in SIZES])
    check("range", [bool(rows.min() >= 0 and rows.max() <= 1) for rows in data], [True, True])
    target = [classes(file[key], 10) for key in ("Y_src", "Y_tar")]
    check("samples with labels", tuple(map(len, target)), SIZES)
    return Bunch(
        data=np.concatenate(data),
        target=np.concatenate(target),
        domain=np.repeat([0, 1], SIZES),
        domain_names=["MNIST", "USPS"],
        feature_names=numbered("pixel", 256),
        target_names=list("0123456789"),
    )

"""Binary alphadigits."""

from __future__ import annotations

import os
import string

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.formats import matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, check_as_frame, documented, numbered

FILE = RemoteFile("binaryalphadigs.mat", "https://cs.nyu.edu/~roweis/data/binaryalphadigs.mat")
CLASSES, N_EACH, SHAPE = list(string.digits + string.ascii_uppercase), 39, (20, 16)


@documented
def fetch_binary_alphadigits(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load binary alphadigits, images of 39 handwritten examples of 36 digits and letters (classes) [1]_.

    Parameters
    ----------
    {download}
    {return_X_y}
    {as_frame}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of 0 and 1 of shape (1404, 320); ``images``: the same of shape (1404, 20, 16).
        - ``target``: ndarray of int of shape (1404,), classes from 0 to 35.
        - ``feature_names`` and ``target_names``: lists of str, the latter ``'0'`` to ``'9'`` and ``'A'`` to ``'Z'``;
          ``DESCR``: str.

    Raises
    ------
    {errors}

    References
    ----------
    .. [1] S. Roweis, "Data for MATLAB hackers", https://cs.nyu.edu/~roweis/data.html.

    Examples
    --------
    >>> from metricnets.datasets import fetch_binary_alphadigits
    >>> X, y = fetch_binary_alphadigits(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (1404, 320)
    """
    check_as_frame(as_frame)
    contents = load("binary_alphadigits", [FILE], _read, Options(data_home, download_if_missing, n_retries, delay))
    return answer(contents, fetch_binary_alphadigits, return_X_y, as_frame)


def _read(path):
    cells = np.asarray(matlab(path)["dat"])
    check("numbers of classes and examples", cells.shape, (len(CLASSES), N_EACH))
    check("shapes of images", {image.shape for image in cells.flat}, {SHAPE})
    images = np.array([image.astype(float) for image in cells.flat])
    check("whether pixels are 0 or 1", bool(((images == 0) | (images == 1)).all()), True)
    return Bunch(
        data=images.reshape(len(images), -1),
        images=images,
        target=np.repeat(np.arange(len(CLASSES)), N_EACH),
        feature_names=numbered("pixel", 320),
        target_names=CLASSES,
    )

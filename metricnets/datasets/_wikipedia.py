"""Wikipedia's featured articles."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.formats import Archive, matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, classes, documented

FILE = RemoteFile("wikipedia_dataset.zip", "http://www.svcl.ucsd.edu/projects/crossmodal/wikipedia_dataset.zip")
CLASSES = ["art", "biology", "geography", "history", "literature", "media", "music", "royalty", "sport", "warfare"]
SIZES = 2173, 693  # of the training and the test part


@documented
def fetch_wikipedia(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load images and texts of Wikipedia's featured articles (two views) [1]_.

    2866 articles of ten classes: a histogram of 128 SIFT words of the image, and probabilities of 10 topics of the
    text.

    Parameters
    ----------
    {download}
    {return_X_y}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``image``: ndarray of shape (2866, 128); ``text``: ndarray of shape (2866, 10), matched rows.
        - ``data``: ndarray of shape (2866, 138), both.
        - ``target``: ndarray of int of shape (2866,), classes from 0 to 9.
        - ``train`` and ``test``: rows of the published split, of 2173 and 693 articles.
        - ``target_names``: list of str; ``DESCR``: str.

    Raises
    ------
    {errors}

    References
    ----------
    .. [1] N. Rasiwasia et al., "A new approach to cross-modal multimedia retrieval", ACM Multimedia 2010,
       http://www.svcl.ucsd.edu/projects/crossmodal/.

    Examples
    --------
    >>> from metricnets.datasets import fetch_wikipedia
    >>> articles = fetch_wikipedia()  # doctest: +SKIP
    >>> articles.image[articles.train].shape, articles.text[articles.train].shape  # doctest: +SKIP
    ((2173, 128), (2173, 10))
    """
    contents = load("wikipedia", [FILE], _read, Options(data_home, download_if_missing, n_retries, delay))
    return answer(contents, fetch_wikipedia, return_X_y)


def _read(path):
    with Archive(path) as archive:
        features = matlab(archive["raw_features.mat"])
        lists = [archive[f"{part}set_txt_img_cat.list"].decode().split("\n") for part in ("train", "test")]
    image, text = (np.concatenate([features[f"{view}_{part}"] for part in ("tr", "te")]) for view in ("I", "T"))
    check("sizes", (len(features["I_tr"]), len(features["I_te"])), SIZES)
    check("features", (image.shape, text.shape), ((sum(SIZES), 128), (sum(SIZES), 10)))
    labels = [[int(line.split()[-1]) for line in lines if line.strip()] for lines in lists]
    check("samples with labels", tuple(map(len, labels)), SIZES)
    return Bunch(
        data=np.hstack([image, text]),
        image=image,
        text=text,
        target=classes(np.concatenate(labels), len(CLASSES)),
        train=np.arange(SIZES[0]),
        test=np.arange(SIZES[0], sum(SIZES)),
        target_names=CLASSES,
    )

"""Office-Caltech."""

from __future__ import annotations

import os

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.formats import Archive, matlab
from metricnets.datasets._loading.remote import Options, RemoteFile, home, load
from metricnets.datasets._loading.results import answer, check, check_as_frame, classes, documented, numbered

ARCHIVE = RemoteFile("GFK_v1.zip", "http://www-scf.usc.edu/~boqinggo/domain_adaptation/GFK_v1.zip")
DOMAINS = {"amazon": 958, "Caltech10": 1123, "dslr": 157, "webcam": 295}  # numbers of samples
MEMBERS = [RemoteFile(f"{domain}_SURF_L10.mat", None) for domain in DOMAINS]
CLASSES = [
    "back_pack",
    "bike",
    "calculator",
    "headphones",
    "keyboard",
    "laptop_computer",
    "monitor",
    "mouse",
    "mug",
    "projector",
]


@documented
def fetch_office_caltech(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load Office-Caltech, images of ten classes of objects from four domains (domain adaptation) [1]_.

    Counts of 800 SURF descriptors of 958 images of a shop, 1123 of Caltech-256, and 157 and 295 of two cameras in an
    office.  Usually rows are divided by their sum, and columns standardised in each domain.

    The archive of the authors holds the four files ``amazon_SURF_L10.mat``, ``Caltech10_SURF_L10.mat``,
    ``dslr_SURF_L10.mat`` and ``webcam_SURF_L10.mat``.  If their server does not answer, put the archive, or these
    files, in the subfolder ``metricnets/office_caltech`` of ``data_home``.

    Parameters
    ----------
    {download}
    {return_X_y}
    {as_frame}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: ndarray of shape (2533, 800).
        - ``target``: ndarray of int of shape (2533,), classes from 0 to 9.
        - ``domain``: ndarray of int of shape (2533,), a place in ``domain_names``.
        - ``domain_names``, ``feature_names`` and ``target_names``: lists of str; ``DESCR``: str.

    Raises
    ------
    {errors}

    References
    ----------
    .. [1] B. Gong, Y. Shi, F. Sha, K. Grauman, "Geodesic flow kernel for unsupervised domain adaptation", CVPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from metricnets.datasets import fetch_office_caltech
    >>> office = fetch_office_caltech()  # doctest: +SKIP
    >>> rows = np.isin(office.domain, [0, 3])  # from amazon to webcam  # doctest: +SKIP
    >>> sample_domain = np.where(office.domain[rows] == 0, 1, -1)  # doctest: +SKIP
    """
    check_as_frame(as_frame)
    options = Options(data_home, download_if_missing, n_retries, delay)
    folder = home("office_caltech", options)
    by_hand = all((folder / file.filename).exists() for file in MEMBERS)
    contents = load("office_caltech", MEMBERS if by_hand else [ARCHIVE], _read, options)
    return answer(contents, fetch_office_caltech, return_X_y, as_frame)


def _read(*paths):
    files = paths
    if len(paths) == 1:
        with Archive(paths[0]) as archive:
            files = [archive[file.filename] for file in MEMBERS]
    parts = [matlab(file) for file in files]
    data = [np.asarray(part["fts"], dtype=float) for part in parts]
    check("sizes", [rows.shape for rows in data], [(n, 800) for n in DOMAINS.values()])
    check("negative counts", any(bool((rows < 0).any()) for rows in data), False)
    target = [classes(part["labels"], len(CLASSES)) for part in parts]
    check("samples with labels", [len(labels) for labels in target], list(DOMAINS.values()))
    return Bunch(
        data=np.concatenate(data),
        target=np.concatenate(target),
        domain=np.repeat(np.arange(len(DOMAINS)), list(DOMAINS.values())),
        domain_names=list(DOMAINS),
        feature_names=numbered("word", 800),
        target_names=CLASSES,
    )

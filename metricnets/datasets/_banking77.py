"""Banking77."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from metricnets.datasets._loading.remote import Options, RemoteFile, load
from metricnets.datasets._loading.results import answer, check, documented

URL = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/master/banking_data/{}.csv"
CHECKSUMS = {
    "train": "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
    "test": "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
}
FILES = [RemoteFile(f"{part}.csv", URL.format(part), checksum) for part, checksum in CHECKSUMS.items()]
SIZES = 10003, 3080


@documented
def fetch_banking77(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[list[str], np.ndarray]:
    """Load Banking77, short questions to a bank in 77 classes (texts) [1]_.

    Parameters
    ----------
    {download}
    {return_X_y}
    {retries}

    Returns
    -------
    dataset : Bunch

        - ``data``: list of 13083 str, to be encoded by a vectorizer or a sentence encoder.
        - ``target``: ndarray of int of shape (13083,), classes from 0 to 76.
        - ``train`` and ``test``: rows of the published split, of 10003 and 3080 questions.
        - ``target_names``: list of str; ``DESCR``: str.

    Raises
    ------
    {errors}

    References
    ----------
    .. [1] I. Casanueva, T. Temčinas, D. Gerz, M. Henderson, I. Vulić, "Efficient intent detection with dual sentence
       encoders", Workshop on NLP for ConvAI, ACL 2020, CC BY 4.0.

    Examples
    --------
    >>> from metricnets.datasets import fetch_banking77
    >>> questions, y = fetch_banking77(return_X_y=True)  # doctest: +SKIP
    >>> len(questions)  # doctest: +SKIP
    13083
    """
    contents = load("banking77", FILES, _read, Options(data_home, download_if_missing, n_retries, delay))
    return answer(contents, fetch_banking77, return_X_y)


def _read(*paths):
    parts = [_rows(path) for path in paths]
    check("sizes", tuple(map(len, parts)), SIZES)
    rows = [row for part in parts for row in part]
    names, target = np.unique([row["category"] for row in rows], return_inverse=True)
    check("number of classes", len(names), 77)
    return Bunch(
        data=[row["text"].strip() for row in rows],
        target=target,
        train=np.arange(SIZES[0]),
        test=np.arange(SIZES[0], sum(SIZES)),
        target_names=names.tolist(),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

"""Projections of embeddings to two dimensions."""

from __future__ import annotations

import numpy as np
from sklearn.base import TransformerMixin, clone
from sklearn.decomposition import PCA

from metricnets._arrays import embeddings
from metricnets._checks import check_option
from metricnets._lazy import needed
from metricnets._params import check_instance


def projected(z: np.ndarray, projection: str | TransformerMixin | None) -> tuple[np.ndarray, tuple[str, str]]:
    """Project embeddings to two dimensions.

    Parameters
    ----------
    z : ndarray of shape (n_samples, n_components)
    projection : {'pca', 'umap', 'none'}, transformer or None

    Returns
    -------
    points : ndarray of shape (n_samples, 2)
    axis_names : tuple of two str
    """
    if isinstance(projection, str):
        check_option("projection", projection, ("pca", "umap", "none"))
    n_columns = z.shape[1]
    if n_columns < 2 or (projection in (None, "none") and n_columns != 2):
        raise ValueError(
            f"the embeddings have {n_columns} columns; a scatter plot needs two with projection={projection!r}. "
            + ("Use projection='pca'." if n_columns > 2 else "Set n_components=2, or use PairDistancesDisplay.")
        )
    if projection in (None, "none"):
        return z, ("Component 1", "Component 2")
    if projection == "pca":
        with np.errstate(invalid="ignore"):  # embeddings that have collapsed have no variance
            pca = PCA(n_components=2, random_state=0).fit(z)
        shares = np.nan_to_num(pca.explained_variance_ratio_)
        return pca.transform(z), tuple(
            f"Principal component {i} ({s:.0%} of variance)" for i, s in enumerate(shares, 1)
        )
    return _by_transformer(z, projection)


def _by_transformer(z, projection):
    if projection == "umap":
        projection = needed("umap", "projection='umap'").UMAP(n_components=2, random_state=0, n_jobs=1)
    check_instance(projection, "projection")
    if not hasattr(projection, "fit_transform"):
        raise ValueError(f"projection={projection!r} should be 'pca', 'umap', 'none' or have fit_transform.")
    name = type(projection).__name__
    points = embeddings(clone(projection).fit_transform(z), len(z), f"projection={name}()")
    if points.shape[1] != 2:
        raise ValueError(f"projection={name}() returned {points.shape[1]} columns; it should return two.")
    return points, (f"{name} 1", f"{name} 2")

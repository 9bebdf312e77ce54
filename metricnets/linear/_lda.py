"""LDA: Fisher's discriminant analysis as a metric learner."""

from functools import partial
from typing import Literal

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.utils.multiclass import check_classification_targets

from metricnets._class_scatter import (
    class_means,
    covariance,
    discriminants_of_root,
    discriminants_of_scatter,
    keeps_digits,
    root_of_both,
    root_of_deviations,
    shrunk,
    weighted_discriminants,
)
from metricnets._initialization import warn_if_few
from metricnets._labels import check_known
from metricnets._linalg import discriminants
from metricnets._params import MaybeArray, MaybeCount, MaybeObject, MaybeShare, NonNegative
from metricnets._weights import total_of
from metricnets.linear._streams import SumsOfPoints, of_shifted


class LDA(SumsOfPoints):
    """Linear discriminant analysis (LDA).

    Find the directions in which the class means are far apart, relative to the scatter within classes:
    maximise tr(L S_b Lᵀ) subject to L S_w Lᵀ = I, with the scatter S_w within and S_b between
    classes.  Scikit-learn's ``LinearDiscriminantAnalysis`` estimates the scatter matrices and, for 'svd',
    the discriminants.  If S_w is singular, only directions in its range are used.  With few samples for
    many features the estimate is unreliable: unless S_w is shrunk, there is a warning if the number of
    samples minus the number of classes is less than twice the number of features.

    Parameters
    ----------
    n_components : int >= 1 or None, default=None
        Number of discriminants, at most ``min(n_classes - 1, n_features)``, which is also what None takes.
    solver : {'svd', 'eigen', 'lsqr'}, default='svd'
        'svd' finds the discriminants by singular values, and takes no ``shrinkage``; 'eigen' and 'lsqr' do, and give
        the same result.
    shrinkage : float in [0, 1], 'auto' or None, default=None
        Share of a multiple of the identity in S_w; 'auto' takes the estimate of Ledoit and Wolf.
    priors : array-like of shape (n_classes,) or None, default=None
        Weights of the classes; None takes their proportions in y.
    covariance_estimator : estimator or None, default=None
        A covariance estimator to use instead of ``shrinkage``; not with 'svd'.
    tol : float >= 0, default=0.0001
        For 'svd': singular values below this count as zero.

    See Also
    --------
    LFDA : Local Fisher discriminant analysis, for classes of several clusters.
    RCA_Supervised : Whitening within chunks of similar points, from classes.
    NCA : Soft nearest neighbours.

    References
    ----------
    R. A. Fisher, "The use of multiple measurements in taxonomic problems", 1936.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import LDA
    >>> X, y = load_iris(return_X_y=True)
    >>> LDA().fit(X, y).components_.shape
    (2, 4)
    """

    n_components: MaybeCount = None
    solver: Literal["svd", "eigen", "lsqr"] = "svd"
    shrinkage: MaybeShare = None
    priors: MaybeArray = None
    covariance_estimator: MaybeObject = None
    tol: NonNegative = 1e-4

    def _solve_points(self, X, y, weights):
        y = check_known(y)
        check_classification_targets(y)
        classes = np.unique(y)
        varies = any((np.ptp(X[y == c], axis=0) >= np.finfo(float).tiny).any() for c in classes)
        n, spread = total_of(weights, len(X)), np.ptp(X, axis=0)
        n_rows = self._checked_counts(classes, n, spread, varies)
        if weights is not None:
            return self._weighted(X, np.searchsorted(classes, y), weights)[:n_rows]
        analysis = LinearDiscriminantAnalysis(
            solver="svd" if self.solver == "svd" else "lsqr",
            shrinkage=self.shrinkage,
            priors=self.priors,
            covariance_estimator=self.covariance_estimator,
            tol=self.tol,
        ).fit(X, y)
        if self.solver == "svd":
            return analysis.scalings_.T[:n_rows]
        return discriminants(analysis.covariance_, analysis.means_, analysis.priors_)[:n_rows]

    def _solves_by(self, sums):
        return self.solver != "svd" or keeps_digits(sums[1].within, sums[1].counts, self.tol)

    def _solve_sums(self, sums):
        _, groups, _ = sums
        spread = groups.joined().within.diagonal()
        within, counts, n = groups.within, groups.counts, groups.counts.sum()
        n_rows = self._checked_counts(groups.names, n, spread, within.any())
        priors = counts / n if self.priors is None else np.asarray(self.priors, dtype=float)
        if self.solver == "svd":
            return discriminants_of_scatter(within, counts, groups.means, priors=priors, tol=self.tol).T[:n_rows]
        return discriminants(shrunk(within / n, self.shrinkage or 0.0), groups.means, priors)[:n_rows]

    def _solve_again(self, X, names, weights):
        if X.kind == "sparse matrix":  # whose rows would be made dense
            return self._solve_sums(self._sums)
        origin, groups, _ = self._sums
        n_rows = self._checked_counts(groups.names, groups.counts.sum(), groups.joined().within.diagonal(), True)
        units = np.sqrt(groups.within.diagonal() / groups.counts.sum())
        roots = partial(root_of_deviations, means=groups.means, units=units)
        of_rows = partial(of_shifted, roots, origin=origin, n_components=self.n_components)
        codes = np.searchsorted(groups.names, names).clip(max=len(groups.names) - 1)  # of weight 0 if there is no class
        R = X.summed(of_rows, root_of_both, codes, weights)
        priors = groups.counts if self.priors is None else np.asarray(self.priors, dtype=float)
        found = discriminants_of_root(R, units, groups.counts, groups.means, priors=priors, tol=self.tol)
        return found.T[:n_rows]

    def _why_not_in_batches(self):
        if self.shrinkage == "auto" or self.covariance_estimator is not None:
            return "shrinkage='auto' and covariance_estimator need all samples at once; set a number, or None."
        if self.priors is not None and self.solver != "svd":
            return f"priors with solver={self.solver!r} need the scatter of each class; set solver='svd'."
        return None

    def _checked_counts(self, classes, n, spread, varies):
        """Number of discriminants to keep; ValueError if the samples, n by their weights, or parameters do not suit.

        ``spread`` is that of each feature, and ``varies`` whether a class has two different samples.
        """
        if self.solver == "svd" and self.shrinkage is not None:
            raise ValueError(f"shrinkage={self.shrinkage!r} is not for solver='svd'; use solver='eigen'.")
        self._check_priors(classes)
        most = min(len(classes) - 1, len(spread))
        if most < 1:
            raise ValueError(f"y has one class only, {classes[0]!s}; LDA needs at least two.")
        if not varies:
            raise ValueError("no class has two different samples; LDA needs some scatter within the classes.")
        if self.n_components is not None and self.n_components > most:
            raise ValueError(f"n_components={self.n_components} is more than min(n_classes - 1, n_features) = {most}.")
        if n <= len(classes):
            raise ValueError(
                f"sample_weight sums to {n:.3g}, in {len(classes)} classes; LDA needs more than one sample for each. "
                "A weight counts samples: scale them to a mean of 1."
            )
        if not (self.shrinkage or self.covariance_estimator):
            remedy = (
                "Use solver='eigen' with shrinkage='auto', in a stream or for sparse rows with a number such as 0.1, "
                "or fewer features."
            )
            warn_if_few(spread, n - len(classes), "scatter within classes", remedy)
        return self.n_components or most

    def _check_priors(self, classes):
        n = len(classes)
        if self.priors is not None and (np.shape(self.priors) != (n,) or np.min(self.priors) < 0):
            raise ValueError(f"priors={self.priors} should hold a non-negative weight for each of {n} classes.")

    def _weighted(self, X, codes, weights):
        """Discriminants of weighted samples, the most discriminating row first."""
        if self.covariance_estimator is not None:
            raise ValueError(f"covariance_estimator={self.covariance_estimator} takes no sample_weight; leave it None.")
        means, sums = class_means(X, codes, weights)
        priors = sums / sums.sum() if self.priors is None else np.asarray(self.priors, dtype=float)
        if self.solver == "svd":
            return weighted_discriminants(X, codes, weights, priors=priors, tol=self.tol).T
        members = [codes == code for code in range(len(sums))]
        within = [covariance(X[own], weights[own], self.shrinkage) for own in members]
        return discriminants(np.tensordot(priors, within, 1), means, priors)

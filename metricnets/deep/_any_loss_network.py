"""The shell of networks with any loss, which predict classes if the loss is a classifier."""

import math

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import ClassifierTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from metricnets._arrays import rows_at
from metricnets._labels import plain, read
from metricnets._params import Array
from metricnets.deep._any_loss import AnyLoss, classifies
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.on_labels import probabilities


def _classifies(estimator):
    if hasattr(estimator, "module_"):
        return hasattr(getattr(estimator, "loss_", None), "logits")
    return estimator.n_networks == 1 and classifies(estimator.loss)


def labelled(X, y, weights):
    """Points, labels and weights of the samples whose label is known."""
    labels, missing, negative = read(y)
    rows = np.flatnonzero(~missing & ~negative)
    return rows_at(X, rows, "X"), plain(labels[rows]), None if weights is None else np.asarray(weights)[rows]


class AnyLossNetwork(AnyLoss, NetworkMetric):
    """Deep metric with networks that are trained with any loss; it predicts classes if the loss is a classifier."""

    @available_if(_classifies)
    def predict(self, X: Array) -> np.ndarray:
        """Predict the classes of points by the logits of the loss.

        Available if the loss is a classifier, such as 'cosface' or 'proxy_anchor', and there is one network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The most probable classes.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @available_if(_classifies)
    def predict_proba(self, X: Array) -> np.ndarray:
        """Estimate the probabilities of the classes, a softmax of the logits of the loss.

        Margins of the loss are left out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        z = self._points(self._checked_points(X))
        n_columns = z.shape[1] - (math.prod(self._point_shape) if self.skip else 0)  # the points follow the embeddings
        return probabilities(self.loss_, z[:, :n_columns])

    @available_if(_classifies)
    def score(self, X: Array, y: Array, sample_weight: Array | None = None) -> float:
        """Compute the accuracy of `predict`.

        With ``unlabeled`` or ``label_noise``, samples without a label do not count.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Points.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the samples.

        Returns
        -------
        score : float in [0, 1]
        """
        if (self.unlabeled, self.label_noise) != (None, None):
            X, y, sample_weight = labelled(X, y, sample_weight)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if _classifies(self):
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
            tags.target_tags.multi_output = False
        return tags

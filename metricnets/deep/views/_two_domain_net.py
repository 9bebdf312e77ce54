"""TwoDomainNet: one network for two domains, such as images of products and of scenes."""

from functools import partial
from typing import Annotated, Literal, Self

import numpy as np
import torch

from metricnets import losses
from metricnets._arrays import count_rows
from metricnets._labels import UNKNOWN, known_classes
from metricnets._params import Array, Function, MaybeArray, MaybeDict, NonNegative, StrOptions, fitting
from metricnets._weights import check_weights, rows_of
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.foreign import check_loss, naming
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.samples import (
    check_validation,
    followed_by,
    sampler_of,
    training_counts,
    used,
    with_validation,
)
from metricnets.deep._training.similarity import OfTargets
from metricnets.deep._training.two_domains import WithHead, check_domains, check_parts, first_domain, relation_of
from metricnets.losses import NormalizedSoftmax
from metricnets.relations import known_class
from metricnets.samplers import ClassBalanced

OF_RELATIONS = {name for name, entry in losses.CATALOGUE.items() if entry.needs == "similar pairs"}


class TwoDomainNet(NetworkMetric):
    """One network for two domains with the same classes, such as images of products and of scenes.

    Samples of one domain find those of the same class in the other: pairs of two domains, and with ``pairs='all'``
    also those of one domain, are compared by a loss, to which an identification loss, a cross-entropy of the classes,
    is added.  Each batch has similar pairs, as its samples are of a few classes.  Other than in :class:`DTML`, both
    domains are labelled.

    The paper's own setting is ``TwoDomainNet(loss="contrastive", pairs="across", init="glorot")``, with a convolutional
    network as ``module``.

    Parameters
    ----------
    loss : str or callable, default='neighborhood'
        Loss ``(z, r) -> scalar`` of embeddings and relation, or its name.  The paper has 'contrastive'.
    loss_params : dict or None, default=None
        Keyword arguments of the loss.
    pairs : {'across', 'all'}, default='all'
        Whether only pairs of two domains count, or all pairs.
    identification : float >= 0, default=0.1
        Weight of the identification loss, a :class:`metricnets.losses.NormalizedSoftmax` with temperature 1 / 16.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The known classes.

    See Also
    --------
    TwoViewNet : Two views with features of their own, in matched rows.
    DTML : A labelled source and an unlabelled target.

    References
    ----------
    S. Bell, K. Bala, "Learning visual similarity for product design with convolutional neural networks", ACM
    Transactions on Graphics (SIGGRAPH) 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import TwoDomainNet
    >>> X, y = load_iris(return_X_y=True)
    >>> net = TwoDomainNet(max_epochs=5, random_state=0).fit(X, y, sample_domain=np.tile([-1, 1], 75))
    >>> net.transform(X).shape
    (150, 64)
    """

    __metadata_request__fit = {"sample_domain": True}

    loss: Annotated[str, StrOptions(OF_RELATIONS)] | Function = "neighborhood"
    loss_params: MaybeDict = None
    pairs: Literal["across", "all"] = "all"
    identification: NonNegative = 0.1

    @fitting
    @defaults()
    def fit(
        self,
        X: Array,
        y: Array,
        sample_domain: MaybeArray = None,
        *,
        sample_weight: MaybeArray = None,
        X_val: MaybeArray = None,
        y_val: MaybeArray = None,
        sample_domain_val: MaybeArray = None,
    ) -> Self:
        """Learn the metric.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Samples of both domains.
        y : array-like of shape (n_samples,)
            Classes; None, NaN or a negative number where the class is unknown: these samples are left out.
        sample_domain : array-like of shape (n_samples,) or None, default=None
            At least 0 for samples of one domain, negative for those of the other.  None means that all samples are of
            one domain, whose pairs all count.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter, and samples of
            weight 0 are left out.
        X_val, y_val, sample_domain_val : array-like or None, default=None
            Validation data for ``early_stopping``, as X, y and sample_domain; None holds back a part of X.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If no class is in both domains, there is one class only, X, y, sample_domain, the weights or the validation
            data do not have this form, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        check_loss(self.loss, self._function(), self.loss_params)
        is_given, has_domains = check_validation(X_val, y_val, self.early_stopping, "X_val"), sample_domain is not None
        check_domains(is_given, sample_domain, sample_domain_val)
        X, codes, domain, n = self._validated_domains((X, y, sample_domain), (X_val, y_val, sample_domain_val))
        weights, is_train = with_validation(check_weights(sample_weight, n), len(X)), np.arange(len(X)) < n
        X, codes, domain, is_train, weights = used(weights, X, codes, domain, is_train)
        known = codes != UNKNOWN
        X, codes, domain, is_train, weights = (rows_of(a, known) for a in (X, codes, domain, is_train, weights))
        check_parts(codes, self.classes_, domain if has_domains else None, is_train, is_given, self.identification)
        source, row = tensor_of(domain) if has_domains else None, torch.arange(len(X))
        targets = Targets(tensor_of(codes), row, source, known_class, classes=self.classes_, weights=weights)
        n_train = np.count_nonzero(is_train) if is_given else None
        counts = training_counts(weights, is_train) if is_given else weights
        return self._learn(self._prepare(X, targets, codes, counts, n_train))

    def _function(self):
        return losses.CATALOGUE[self.loss].loss if isinstance(self.loss, str) else self.loss

    def _validated_domains(self, train, validation):
        """X, class codes, whether each sample is of the first domain, and the number of samples for training."""
        (X, y, sample_domain), (X_val, y_val, sample_domain_val) = train, validation
        self.classes_, codes = (None, None) if y is None else known_classes(followed_by(y, y_val, "y_val"))
        X, _ = self._validated(X, None if codes is None else codes[: count_rows(y, "y")])
        domain, n = first_domain(X, sample_domain), len(X)
        if y_val is None:
            return X, codes, domain, n
        X_val = self._validated_more(X_val, dtype=X.dtype)
        domain = np.concatenate([domain, first_domain(X_val, sample_domain_val, "_val")])
        return followed_by(X, X_val, "X_val"), codes, domain, n

    def _similarity(self, targets, kept):
        return kept, OfTargets(targets.labels[kept], targets.relation, rows_of(targets.weights, kept))

    def _make_batches(self, part, rng):
        codes = part.targets.labels.numpy()
        return sampler_of(lambda rows: ClassBalanced(codes[rows], self.batch_size, rng), part, rng)

    def _criterion(self, network, part, generator):
        with torch.no_grad():
            width = network.eval()(part.rows.X[:2]).shape[1]
        network.train()
        head = NormalizedSoftmax(width, len(self.classes_), temperature=0.0625, generator=generator)
        return WithHead(partial(self._loss_of_pairs), head if self.identification else None, self.identification)

    def _loss_of_pairs(self, z, targets):
        with naming("loss", self.loss):
            return self._function()(z, relation_of(targets, self.pairs == "across"), **(self.loss_params or {}))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

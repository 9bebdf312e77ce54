"""DTML and DSTML: deep transfer metric learning."""

import warnings

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_consistent_length, column_or_1d
from torch import nn

from metricnets._params import Count, Flag, NonNegative, Positive, fitting, one_of
from metricnets.deep._network import NetworkMetric
from metricnets.losses import linear_mmd, multi_kernel_mmd
from metricnets.networks import BOUNDED
from metricnets.samplers import DomainBalanced, Shuffled
from metricnets.targets import resolve

DIVERGENCES = {"linear": linear_mmd, "gaussian": multi_kernel_mmd}


class DTML(NetworkMetric):
    """Learn a metric on a labelled source that holds on an unlabelled target.

    Parameters
    ----------
    alpha : float >= 0, default=0.1
    """

    __metadata_request__fit = {"sample_domain": True}

    alpha: NonNegative = 0.1
    beta: NonNegative = 10.0
    conditional: NonNegative = 0.0
    cluster: NonNegative = 0.0
    mmd: one_of(*DIVERGENCES) = "linear"
    n_neighbors_within: Count = 5
    n_neighbors_between: Count = 10
    deep_supervision: NonNegative = 0.0
    threshold: NonNegative = 0.0
    activate_output: Flag = True
    init: one_of("glorot", "uniform", "pca") = "glorot"
    margin: Positive = float("inf")
    init_scale: NonNegative = 1.0

    @torch.no_grad()
    def _initialize(self, module, X):
        if self.init == "pca":
            first = module[0][0]
            Xc = (X - X.mean(0)).double()
            _, sv, v = torch.linalg.svd(Xc, full_matrices=False)
            k = min(len(v), first.out_features)
            std = sv[:k] / len(X) ** 0.5
            first.weight[:k] = (v[:k] * (self.init_scale / (std**2).mean() ** 0.5)).float()
            first.bias.copy_(-(first.weight @ X.mean(0)))

    @fitting
    def fit(self, X, y, sample_domain=None):
        """Learn the metric."""
        self._check_bounded()
        X, y, source = self._validated_domains(X, y, sample_domain)
        _, codes, classes = resolve(y[source], "same_class")
        if len(classes) < 2:
            raise ValueError(f"the source has one class only, {classes[0]!r}; a metric needs two to tell apart.")
        known = np.full(len(X), -1)
        known[source] = codes
        targets = np.column_stack([known, np.arange(len(X))])

        def batches(targets, rng):
            return self._batches(X[targets[:, 1]], targets[:, 0], rng, adapt=not source.all())

        return self._train(X, targets, self._criterion(len(classes)), batches, strata=known, wrap=_Layers)

    def _check_bounded(self):
        if self.deep_supervision and self.module is not None:
            raise ValueError(
                f"deep_supervision={self.deep_supervision} needs the layers of the built-in perceptron; "
                "set it to 0 with module=."
            )
        bounded = self.module is None and self.activate_output and self.activation in BOUNDED
        if self.alpha and self.margin == np.inf and not bounded and not self.normalize:
            output = (
                "module="
                if self.module is not None
                else f"activation={self.activation!r} with activate_output={self.activate_output}"
            )
            raise ValueError(
                f"alpha={self.alpha} rewards distances without end, and {output} does not bound them: set "
                f"normalize=True, or one of activation={BOUNDED} with activate_output=True, or alpha=0."
            )

    def _validated_domains(self, X, y, sample_domain):
        if sample_domain is None or y is None:
            X, y = self._validated(X, y)
            return X, y, np.ones(len(X), bool)
        source = source_mask(sample_domain)
        check_consistent_length(X, y, source)
        y = column_or_1d(np.asarray(y, dtype=object), warn=True).copy()
        y[~source] = y[source][0]  # whatever it was: nobody may know
        X, y = self._validated(X, np.array(y.tolist()))
        return X, y, source

    def _batches(self, X, codes, rng, adapt):
        source = np.flatnonzero(codes >= 0)
        neighbors = neighborhoods(X[source], codes[source], self.n_neighbors_within, self.n_neighbors_between)
        within, between = (np.full((len(X), places.shape[1]), -1) for places in neighbors)
        within[source], between[source] = source[neighbors[0]], source[neighbors[1]]
        sampler = DomainBalanced(codes, self.batch_size, rng) if adapt else Shuffled(len(X), self.batch_size // 2, rng)
        return Anchored(sampler, within, between, len(source) and (codes >= 0), rng)

    def _criterion(self, n_classes):
        def criterion(layers, targets):
            codes = targets[:, 0]
            *middle, top = (
                self._objective(z, codes, n_classes) for z in (layers if self.deep_supervision else layers[-1:])
            )
            return top + self.deep_supervision * sum((j - self.threshold).clamp_min(0) for j in middle)

        return criterion

    def _objective(self, z, codes, n_classes):
        n_target = int((codes < 0).sum())
        n = (len(z) - n_target) // 3
        anchors, target, within, between = z.split([n, n_target, n, n])
        loss = mean_sqdist(anchors, within) - self.alpha * mean_sqdist(anchors, between, self.margin)
        if n_target and self.beta:
            loss = loss + self.beta * DIVERGENCES[self.mmd](anchors, target)
        if n_target and (self.conditional or self.cluster):
            cond, clus = conditional(z[codes >= 0], codes[codes >= 0], target, n_classes)
            loss = loss + self.conditional * cond + self.cluster * clus
        return loss

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class _Layers(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module.layers(x) if hasattr(self.module, "layers") else [self.module(x)]


class Anchored:
    def __init__(self, sampler, within, between, source, rng):
        self.sampler, self.within, self.between, self.source, self.rng = sampler, within, between, source, rng

    def __len__(self):
        return len(self.sampler)

    def __iter__(self):
        for rows in self.sampler:
            a, t = rows[self.source[rows]], rows[~self.source[rows]]
            yield np.concatenate([a, t, _pick(self.within[a], self.rng), _pick(self.between[a], self.rng)])


def _pick(places, rng):
    return places[np.arange(len(places)), rng.integers(places.shape[1], size=len(places))]


def mean_sqdist(z_a, z_b, most=torch.inf):
    return ((z_a - z_b) ** 2).sum(1).clamp_max(most).mean()


def conditional(z_s, codes, z_t, n_classes):
    present = torch.bincount(codes, minlength=n_classes) > 0
    onehot = torch.nn.functional.one_hot(codes, n_classes).to(z_s.dtype)[:, present]
    means = (onehot.T @ z_s) / onehot.sum(0)[:, None]
    d2 = torch.cdist(z_t.detach(), means.detach()) ** 2
    near = torch.nn.functional.one_hot(d2.argmin(1), means.shape[0]).to(z_s.dtype)
    count = near.sum(0)
    tmeans = (near.T @ z_t) / count.clamp_min(1)[:, None]
    cond = (((means - tmeans) ** 2).sum(1) * (count > 0)).sum() / (count > 0).sum()
    clus = ((z_t - near @ means.detach()) ** 2).sum(1).mean()
    return cond, clus


def neighborhoods(X, codes, n_within, n_between):
    flat = X.reshape(len(X), -1)
    within, between = (np.repeat(np.arange(len(X))[:, None], k, axis=1) for k in (n_within, n_between))
    for code in np.unique(codes):
        own, other = np.flatnonzero(codes == code), np.flatnonzero(codes != code)
        k = min(n_within, len(own) - 1)
        if k:
            within[own, :k] = own[NearestNeighbors(n_neighbors=k).fit(flat[own]).kneighbors(return_distance=False)]
        k = min(n_between, len(other))
        between[own, :k] = (
            other[NearestNeighbors(n_neighbors=k).fit(flat[other]).kneighbors(flat[own], return_distance=False)]
            if k
            else between[own, :k]
        )
    return within, between


def source_mask(sample_domain):
    domain = column_or_1d(sample_domain)
    source = np.asarray(domain) >= 0
    if not source.any():
        raise ValueError("sample_domain has target rows only (all are negative): there is nothing to learn from.")
    if source.all():
        warnings.warn(
            "sample_domain has no target row (none is negative): nothing is adapted.", UserWarning, stacklevel=4
        )
    return source

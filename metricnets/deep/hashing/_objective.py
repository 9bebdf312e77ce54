"""The objective of deep hashing, term by term: functions of continuous codes h, the outputs of the network."""

import torch
from torch.nn.functional import softplus


def quantization(h):
    """Compute the quantisation error ½ ‖B − H‖² with B = sign H, a mean over samples and bits."""
    codes = 2 * (h > 0).to(h.dtype) - 1
    return ((codes - h) ** 2).mean() / 2


def variance(h):
    """Compute ½ of the variance of the bits in a batch, tr(HHᵀ) / 2N of centred H, a mean over bits.

    It is large if each bit is +1 for half of the samples, and −1 for the others.
    """
    return ((h - h.mean(dim=0)) ** 2).mean() / 2


def orthogonality(weights):
    """Compute ½ Σ ‖WWᵀ − I‖² over weight matrices; of a matrix with more rows than columns ½ ‖WᵀW − I‖²."""
    total = 0
    for W in weights:
        gram = W @ W.T if len(W) <= W.shape[1] else W.T @ W
        total = total + ((gram - torch.eye(len(gram), dtype=W.dtype, device=W.device)) ** 2).sum()
    return total / 2


def scatter(h, r, margin):
    """Compute the scatter within minus the scatter between, S_w − S_b.

    S_w is the mean of the squared distances d² of similar pairs and S_b the mean of min(d², margin) of dissimilar
    pairs, where d² is divided by the number of bits: it is 4 times the share of bits that differ.  A pair of relation r
    counts r times as similar and 1 − r times as dissimilar, and not at all if r is NaN.

    Parameters
    ----------
    h : tensor of shape (n, n_components)
    r : tensor of shape (n, n)
    margin : float or None
        None is no margin.
    """
    norms = (h * h).sum(dim=1)
    d2 = ((norms[:, None] + norms - 2 * h @ h.T) / h.shape[1]).clamp_min(0)
    capped = d2 if margin is None else d2.clamp_max(margin)
    similar, dissimilar = shares(r, h.dtype)
    return weighted_mean(d2, similar) - weighted_mean(capped, dissimilar)


def likelihood(h, r):
    """Compute the negative log-likelihood of pairs, the mean of similar pairs plus that of dissimilar pairs.

    The log-odds that a pair is similar are ½ ⟨h_i, h_j⟩: of codes of k bits that differ in m bits they are k/2 − m.

    Parameters
    ----------
    h : tensor of shape (n, n_components)
    r : tensor of shape (n, n)
    """
    odds = h @ h.T / 2
    similar, dissimilar = shares(r, h.dtype)
    return weighted_mean(softplus(-odds), similar) + weighted_mean(softplus(odds), dissimilar)


def shares(r, dtype):
    """How much each pair counts as similar, and as dissimilar."""
    known = ~torch.isnan(r)
    return [torch.where(known, share, 0.0).to(dtype) for share in (r, 1 - r)]


def weighted_mean(values, weights):
    """Mean of the values, 0 if all weights are 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-12)


def objective(h, r, *, variance_weight, scatter_weight, margin):
    """Objective of one batch, without the terms of the weights: quantisation, variance and scatter.

    J = ½ ‖B − H‖² − λ₁/2 · variance + α (S_w − S_b)
    """
    loss = quantization(h)
    if variance_weight:
        loss = loss - variance_weight * variance(h)
    if scatter_weight:
        loss = loss + scatter_weight * scatter(h, r, margin)
    return loss

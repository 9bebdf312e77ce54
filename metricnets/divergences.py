"""Divergences between the distributions of two sets of embeddings: maximum mean discrepancies."""

from collections.abc import Sequence

import torch

from metricnets.losses._ops import EPS, masked_mean, precise, sqdist

__all__ = ["class_discrepancy", "linear_mmd", "multi_kernel_mmd"]


def linear_mmd(z_a: torch.Tensor, z_b: torch.Tensor) -> torch.Tensor:
    """Squared maximum mean discrepancy with a linear kernel, ‖mean(z_a) − mean(z_b)‖².

    It is 0 if one of the sets is empty.

    Parameters
    ----------
    z_a : tensor of shape (n_a, n_components)
    z_b : tensor of shape (n_b, n_components)
        Embeddings.

    Returns
    -------
    divergence : tensor of shape ()

    Examples
    --------
    >>> linear_mmd(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0]]))
    tensor(4.)
    """
    if not (len(z_a) and len(z_b)):
        return _zero(z_a, z_b)
    return ((precise(z_a).mean(0) - precise(z_b).mean(0)) ** 2).sum()


def multi_kernel_mmd(
    z_a: torch.Tensor, z_b: torch.Tensor, *, widths: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0)
) -> torch.Tensor:
    """Squared maximum mean discrepancy, averaged over Gaussian kernels exp(−d² / (w s)).

    s is the mean squared distance of all embeddings, without a gradient.  The result is 0 if one of the sets
    is empty.  Memory (n_a + n_b)².

    Parameters
    ----------
    z_a : tensor of shape (n_a, n_components)
    z_b : tensor of shape (n_b, n_components)
        Embeddings.
    widths : sequence of float, default=(0.25, 0.5, 1.0, 2.0, 4.0)
        Widths w of the kernels, relative to s.

    Returns
    -------
    divergence : tensor of shape ()

    References
    ----------
    A. Gretton et al., "A kernel two-sample test", JMLR 2012; M. Long et al., "Learning
    transferable features with deep adaptation networks", ICML 2015.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0]])
    >>> multi_kernel_mmd(z, z)
    tensor(0.)
    """
    if not (len(z_a) and len(z_b)):
        return _zero(z_a, z_b)
    d2 = sqdist(torch.cat([z_a, z_b]))
    scale = d2.detach().mean().clamp_min(EPS)
    kernel = 0
    for w in widths:
        kernel = kernel + torch.exp(-d2 / (w * scale))
    n, kernel = len(z_a), kernel / len(widths)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


def _zero(z_a, z_b):
    """The discrepancy if one set is empty: 0, with a graph."""
    return 0 * (precise(z_a).sum() + precise(z_b).sum())


def class_discrepancy(z: torch.Tensor, codes: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """Squared distance of the class means of two domains, ‖mean(z, source) − mean(z, target)‖².

    It is averaged over the classes that both domains have, and 0 if there are none.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    codes : tensor of int of shape (n,)
        Class codes; negative where the class is unknown.
    source : tensor of bool of shape (n,)
        Whether a sample is from the source domain.

    Returns
    -------
    divergence : tensor of shape ()
    """
    z = precise(z)
    classes = torch.arange(max(1, int(codes.max()) + 1) if len(codes) else 1, device=z.device)
    member = (codes[:, None] == classes).to(z.dtype)  # (n, n_classes)
    in_source, in_target = member * source[:, None], member * ~source[:, None]
    both = in_source.any(0) & in_target.any(0)
    return masked_mean(((_means(z, in_source) - _means(z, in_target)) ** 2).sum(1), both.to(z.dtype))


def _means(z, member):
    """Mean of the embeddings of each class (n_classes, n_components), 0 for a class without members."""
    return member.T @ z / member.sum(0).clamp_min(1)[:, None]

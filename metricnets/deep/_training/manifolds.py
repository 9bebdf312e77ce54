"""The objective of MMDML: distances of points to manifolds, each in the embedding by a network of its own."""

import torch
from torch.nn import functional as F


def of_networks(z, n_classes):
    """Embeddings by the network of each class, (n, n_classes, n_components), of what `transform` has side by side."""
    return z.reshape(len(z), n_classes, -1) * n_classes**0.5


def objective(z, codes, sets, row, *, n_within, n_between, margin, alpha, sharpness, common_space=False):
    """Maximal manifold margin, mean_i g(margin + D_within(i) − α D_between(i)), with g(a) = log(1 + exp(β a)) / β.

    With D_ij = ‖f_c(x_i) − f_c(x_j)‖², where c is the class of x_j, D_within(i) is the mean of the k₁ smallest D_ij of
    the class of x_i, and D_between(i) of the k₂ smallest of other classes; 0 if there are none.  In a common space
    D_ij = ‖f_b(x_i) − f_c(x_j)‖², where b is the class of x_i.

    Parameters
    ----------
    z : tensor of shape (n, n_classes, n_components)
        Embeddings of a batch by the network of each class.
    codes, sets, row : tensor of shape (n,)
        Class, set and number of each point.  Neighbours of the same class are points of other sets; if there are none,
        they are others of the set.
    n_within, n_between : int
        Numbers of neighbours k₁ and k₂, fewer if there are fewer.
    margin, alpha, sharpness : float
        The margin, α and β.
    common_space : bool, default=False

    Returns
    -------
    loss : tensor of shape ()
    """
    d2 = to_manifolds(z, codes, common_space)
    same = codes[:, None] == codes
    elsewhere, another = same & (sets[:, None] != sets), same & (row[:, None] != row)
    within = torch.where(elsewhere.any(1, keepdim=True), elsewhere, another)
    excess = margin + mean_nearest(d2, within, n_within) - alpha * mean_nearest(d2, ~same, n_between)
    return F.softplus(sharpness * excess).mean() / sharpness


def to_manifolds(z, codes, common_space):
    """Squared distances D_ij of `objective` of each point to each point of a manifold, (n, n)."""
    own = z[torch.arange(len(z)), codes]  # (n, k)
    norms = (own**2).sum(1)
    if common_space:
        return (norms[:, None] + norms - 2 * own @ own.T).clamp_min(0)
    order = codes.argsort(stable=True)
    classes, sizes = codes[order].unique_consecutive(return_counts=True)
    parts = zip(classes.tolist(), own[order].split(sizes.tolist()))
    products = torch.cat([z[:, c] @ members.T for c, members in parts], dim=1)[:, order.argsort()]
    return ((z**2).sum(2)[:, codes] + norms - 2 * products).clamp_min(0)


def mean_nearest(d2, counts, k):
    """Mean of the k smallest entries of each row that count, all of them if there are fewer, 0 if there are none."""
    k = min(k, d2.shape[1])
    nearest = d2.masked_fill(~counts, torch.inf).topk(k, dim=1, largest=False).values
    found = nearest.isfinite()
    return nearest.masked_fill(~found, 0).sum(1) / found.sum(1).clamp_min(1)

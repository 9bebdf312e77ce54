"""Two labelled domains: checks of samples and classes, the relation of a batch, a loss beside a classifier."""

import numpy as np
import torch
from sklearn.utils.validation import check_consistent_length
from torch import nn

from metricnets._arrays import checked_column
from metricnets.relations import known_class


def first_domain(X, sample_domain, end=""):
    """Whether each sample is of the first domain, all of them for None; the names of the arguments end so."""
    if sample_domain is None:
        return np.ones(len(X), bool)
    domain = checked_column(sample_domain, f"sample_domain{end}")
    check_consistent_length(X, domain)
    if domain.dtype.kind not in "biuf":
        raise ValueError(f"sample_domain{end} should hold numbers, at least 0 or negative; got {domain.tolist()[0]!r}.")
    return domain >= 0


def check_parts(codes, classes, domain, is_train, has_validation, identification):
    """Raise ValueError unless there are similar pairs of two classes in the training and in the validation data.

    Parameters
    ----------
    codes : ndarray of shape (n,)
    classes : ndarray of shape (n_classes,)
    domain : ndarray of bool of shape (n,) or None
        Whether each sample is of the first domain; None if there is one.
    is_train : ndarray of bool of shape (n,)
    has_validation : bool
    identification : float
        Weight of the identification loss, which has parameters for the classes of the training data.
    """
    for part, end in ((is_train, ""), (~is_train, "_val"))[: 1 + has_validation]:
        _check_classes(codes[part], classes, None if domain is None else domain[part], end)
    if identification and not np.isin(codes[~is_train], codes[is_train]).all():
        raise ValueError(
            f"y_val has classes that are not in y, for which identification={identification} has no parameters; leave "
            "them out, or set it to 0."
        )


def _check_classes(codes, classes, domain, end):
    present = np.unique(codes)
    if len(present) < 2:
        found = f"one class only, {classes[present[0]]!s}" if len(present) else "no known classes"
        raise ValueError(
            f"y{end} has {found}; a metric needs samples of at least two classes. If a class is a negative number, "
            "which means unknown, number the classes from 0."
        )
    if domain is None:
        if len(present) == len(codes):
            raise ValueError(f"there is no similar pair in y{end}: a class needs two samples or more.")
        return
    if domain.all() or not domain.any():
        raise ValueError(f"sample_domain{end} is of one domain only; give samples of both, or leave it out.")
    if not np.intersect1d(codes[domain], codes[~domain]).size:
        raise ValueError(f"no class of y{end} is in both domains of sample_domain{end}; give some samples of both.")


def check_domains(is_given, sample_domain, sample_domain_val):
    """Raise ValueError unless validation data have domains if, and only if, the training data have."""
    if (sample_domain_val is None) == (sample_domain is None or not is_given):
        return
    fault = "sample_domain_val is not given" if sample_domain_val is None else "sample_domain_val is given alone"
    raise ValueError(f"{fault}; validation data have it, beside X_val and y_val, where there is sample_domain.")


def relation_of(targets, across):
    """Relation (n, n) of the samples of a batch; with ``across`` pairs of one domain are unknown."""
    r = known_class(targets.labels, targets.labels).to(torch.float32)
    r = r.masked_fill(targets.row[:, None] == targets.row, torch.nan)
    if across and targets.source is not None:
        r = r.masked_fill(targets.source[:, None] == targets.source, torch.nan)
    return r


class WithHead(nn.Module):
    """A loss of pairs plus ``weight`` times that of a classifier."""

    def __init__(self, loss, head, weight):
        super().__init__()
        self.loss, self.head, self.weight = loss, head, weight

    def forward(self, z, targets):
        loss = self.loss(z, targets)
        return loss if self.head is None else loss + self.weight * self.head(z, targets.labels)

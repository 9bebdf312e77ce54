"""The objective of coupled tasks: distribution matching and soft co-annotation."""

import torch
from torch.nn import functional as F

POWER = 6
TINY = 1e-6  # added to probabilities whose logarithm is taken


def targets_of(logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Probabilities (n, n_classes): 1 for the class of an annotated sample, otherwise the prediction, not trained."""
    known = (codes >= 0)[:, None]
    return torch.where(known, F.one_hot(codes.clamp_min(0), logits.shape[1]), logits.detach().softmax(1))


def distribution_matching(
    logits_a: torch.Tensor, targets_b: torch.Tensor, R: torch.Tensor, speaks: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of the classes of task b with those that task a predicts, −Σ_k t_k log Σ_c p_c R[c, k].

    Only classes c of which something is known are matched, among themselves: with P the sum of their p, it is
    −P Σ_k t_k log Σ_c (p_c / P) R[c, k], where the first P is not trained.

    Parameters
    ----------
    logits_a : tensor of shape (..., n, n_a)
        The predictions p are their softmax.
    targets_b : tensor of shape (n, n_b)
        Probabilities t of the classes of b: the annotation, or the prediction of b where there is none.
    R : tensor of shape (..., n_a, n_b)
        Relatedness, P(class k of b given class c of a).
    speaks : tensor of bool of shape (..., n_a)
        The classes c of which something is known.

    Returns
    -------
    loss : tensor of shape (..., n)
    """
    p = logits_a.softmax(-1) * speaks[..., None, :]
    total = p.sum(-1, keepdim=True)
    return -(total.detach() * targets_b * (p @ R / (total + TINY) + TINY).log()).sum(-1)


def speaking(R: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """Which classes (..., n_a) say anything of another task: rows of R that are not just its class frequencies."""
    return (R - prior).abs().amax(-1) > TINY


def soft_co_annotation(logits_b: torch.Tensor, codes_a: torch.Tensor, R: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the predictions of task b with soft labels, −Σ_k R[c, k] log p_k, for the class c of task a.

    Parameters
    ----------
    logits_b : tensor of shape (n, n_b)
    codes_a : tensor of int64 of shape (n_tasks, n)
        Class codes in several tasks a; the loss of samples of unknown class, −1, is of no use.
    R : tensor of shape (n_tasks, n_a, n_b)

    Returns
    -------
    loss : tensor of shape (n_tasks, n)
    """
    soft = R[torch.arange(len(R), device=R.device)[:, None], codes_a.clamp_min(0)]  # (n_tasks, n, n_b)
    return -(soft * logits_b.log_softmax(1)).sum(2)


def information(R: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """How much a class of one task tells of another: [1 − H(R[c]) / H(π)]₊ to the power of `POWER`.

    It is 1 if the other class follows, and 0 if it is as likely as without.

    Parameters
    ----------
    R : tensor of shape (..., n_a, n_b)
    prior : tensor of shape (n_b,)
        Class frequencies π.

    Returns
    -------
    information : tensor of shape (..., n_a)
    """
    entropies = torch.special.entr(R).sum(-1)
    return (1 - entropies / torch.special.entr(prior).sum().clamp_min(TINY)).clamp_min(0) ** POWER

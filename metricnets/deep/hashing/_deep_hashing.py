"""DeepHashing: binary codes learned without labels."""

from typing import Self

import numpy as np
import torch

from metricnets._neighbors import WithNeighbors, nearest
from metricnets._params import Array, Count, MaybeArray, fitting
from metricnets._weights import check_weights
from metricnets.deep._shrinkage import ShrunkMetric
from metricnets.deep._training.data import Targets
from metricnets.deep._training.relation import matched
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.samples import sampler_of, used
from metricnets.deep.hashing._base import HashingMetric
from metricnets.samplers import Shuffled

N_NEAR = 20_000  # rows in which a neighbour is searched
N_LEADING = 64  # principal components by which it is
FEW = 100  # samples of which half of what training changes is kept


class DeepHashing(HashingMetric, ShrunkMetric):
    """Deep hashing (DH): binary codes learned by a network, without labels.

    The codes are the signs of the outputs H of a network that minimises
    J = ½ ‖B − H‖² − λ₁/2N tr(HHᵀ) + λ₂/2 Σ ‖WWᵀ − I‖² + λ₃/2 (‖W‖² + ‖b‖²) + α (S_w − S_b), with B = sign H: outputs
    are near ±1, bits have a large variance, weight matrices are orthogonal and small, and codes of nearest neighbours
    are similar.  Terms of H are means over samples and bits.

    The last term is not in the paper's method, which has it in its supervised form only.  Here a sample is similar to
    its ``n_neighbors`` nearest neighbours in the input space, and dissimilar to the other samples of a batch.  It is
    the default, because it gains far more than the other terms do over iterative quantisation, from which the network
    starts.  ``scatter=0`` removes it.

    Further deviations: H is centred in tr(HHᵀ), as a bit that is the same for all samples has no variance; the
    perceptron takes at most 256 principal components; λ₁ and λ₂ are 0 by default, where they gain nothing.  The paper's
    own setting, for 32 bits, is ``DeepHashing(n_components=32, scatter=0.0, variance=1.0, orthogonality=0.001,
    weight_decay=0.001, hidden=(80, 50), activation="tanh", init="pca", optimizer="sgd", lr=0.01,
    lr_schedule=None)``; its λ₁ depends on the number of samples there, and is our choice.

    Parameters
    ----------
    n_neighbors : int >= 1, default=3
        Number of nearest neighbours to which a sample is similar, found among up to 20,000 samples.
    shrinkage : float in [0, 1] or 'auto', default='auto'
        How far the trained weights are moved back to those that training started from: 0 not at all, 1 all the way,
        which is iterative quantisation.  'auto' is 100 / (100 + n) for n samples, and 0 with ``module`` and with other
        initial weights.

    See Also
    --------
    SupervisedDeepHashing : The same with labels.
    HammingNeighbors : Search for the nearest codes.

    References
    ----------
    V. E. Liong, J. Lu, G. Wang, P. Moulin, J. Zhou, "Deep hashing for compact binary codes learning", CVPR 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from metricnets import DeepHashing
    >>> X, y = load_digits(return_X_y=True)
    >>> DeepHashing(n_components=16, max_epochs=2, random_state=0).fit(X).transform(X).shape
    (1797, 16)
    """

    n_neighbors: Count = 3

    @fitting
    @defaults()
    def fit(self, X: Array, y: MaybeArray = None, *, sample_weight: MaybeArray = None) -> Self:
        """Learn the codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Training points.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter, and samples of
            weight 0 are left out.  Neighbours do not depend on the weights of the others.

        Returns
        -------
        self : object
            The fitted learner.

        Raises
        ------
        ValueError
            If X or the weights do not have this form, or the loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        X = self._validated(X)
        X, weights = used(check_weights(sample_weight, len(X)), X)
        if len(X) < 2:
            raise ValueError("sample_weight is positive for one sample only; codes are learned from two or more.")
        labels = torch.zeros(len(X), dtype=torch.int64)  # of no meaning
        problem = self._prepare(X, Targets(labels, torch.arange(len(X)), weights=weights), weights=weights)
        problem.shrinkage = self._shrinkage_for(len(X))
        return self._learn(problem)

    def _shrinkage_for(self, n):
        if self.shrinkage != "auto":
            return self.shrinkage
        return FEW / (FEW + n) if self._starts_in_closed_form() else 0.0

    def _starts_in_closed_form(self):
        return self.module is None and self.init == "itq"

    def _make_batches(self, part, rng):
        if len(part) < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves one sample in a part, which has no neighbour; "
                "change it, or set early_stopping=False."
            )
        sampler = sampler_of(lambda rows: Shuffled(len(rows), self.batch_size, rng), part, rng)
        if not self.scatter:
            return sampler
        X = part.points().flatten(1).numpy()
        X = X if self.module is not None else X[:, :N_LEADING]
        return WithNeighbors(sampler, [grouped_neighbors(X, self.n_neighbors, rng)], rng)

    def _criterion(self, network, part, generator):
        return self._penalized(self._loss_of_batch, network)

    def _loss_of_batch(self, h, targets):
        r = None
        if self.scatter:
            n = len(h)
            r = matched(torch.zeros((n, n), dtype=h.dtype, device=h.device))
            r = r.masked_fill(targets.row[:, None] == targets.row, torch.nan)
        return self._objective(h, r)


def grouped_neighbors(X, k, rng):
    """Nearest neighbours of every row, at most k, (n, k), among those of a random group of about `N_NEAR` rows."""
    k = min(k, len(X) - 1)
    found = np.empty((len(X), k), int)
    for group in np.array_split(rng.permutation(len(X)), -(-len(X) // N_NEAR)):
        found[group] = group[nearest(X[group], None, k)]
    return found

"""MultiTaskNet: one network for several tasks, some of whose classes are not annotated."""

from typing import Annotated, Literal, Self

import numpy as np
import torch

from metricnets._labels import UNKNOWN
from metricnets._params import Array, Flag, MaybeArray, NonNegative, Positive, fitting
from metricnets._relatedness.combination import combined
from metricnets._relatedness.counting import class_frequencies
from metricnets._relatedness.of_tasks import relatedness_of
from metricnets._weights import check_weights, rows_of
from metricnets.deep._training.data import Targets, tensor_of
from metricnets.deep._training.on_labels import embeddings
from metricnets.deep._training.runtime import defaults
from metricnets.deep._training.samples import used, with_validation
from metricnets.deep.multitask._base import TaskMetric
from metricnets.deep.multitask._heads import CoupledLoss, new_heads
from metricnets.exceptions import warn

MATCHING, CO_ANNOTATION = ("both", "distribution_matching"), ("both", "soft_co_annotation")


class MultiTaskNet(TaskMetric):
    """Network with one embedding and a classifier for each of several tasks, which are coupled.

    y has a column for each task, and a sample may be annotated in some of them only.  What is known of how tasks are
    related, R[c, k] = P(class k of one task given class c of another), couples them: distribution matching makes what
    one task predicts agree with the classes of another, and soft co-annotation gives samples that are annotated in one
    task soft labels in the others.

    The network starts from maps of all tasks together and of each task side by side, which share ``n_components``.
    Each task has the same weight in the loss, a mean over the samples annotated in it, however many these are.
    Deviations from the paper: in distribution matching the annotation, where there is one, takes the place of the
    prediction that is to be matched, and otherwise that prediction is not trained by it, and only classes c with R[c]
    other than the class frequencies π are matched, among themselves; soft labels count the less, the less c tells of
    the other task, by (1 − H(R[c]) / H(π))⁶, where H is the entropy; relatedness is inferred without samples annotated
    in both tasks, too; and what related tasks predict is combined by Jeffrey's rule.  Tasks that do not depend on each
    other are left alone.

    :class:`metricnets.displays.RelatednessDisplay` draws relatedness, and
    :func:`metricnets.protocols.negative_transfer` compares each task with its single-task model.

    Parameters
    ----------
    coupling : {'both', 'distribution_matching', 'soft_co_annotation'} or None, default='both'
        How tasks are coupled.
    coupling_weight : float >= 0, default=0.5
        Weight of each of the couplings in the loss.
    relatedness : 'inferred', 'counted', array-like, dict or None, default='inferred'
        Relatedness R of tasks.

        - 'inferred': by variational Bayes from the samples that are annotated in two tasks, and from what a ridge
          regression of each task says of samples that are annotated in the other one only.
        - 'counted': from the samples that are annotated in two tasks alone.  Tasks without such samples are not
          coupled.  By both, few samples, and tasks that do not depend on each other, leave R near the class
          frequencies.
        - An array or data frame of shape (n_classes_a, n_classes_b): R of the second of two tasks given the first, with
          rows that sum to 1, in the order of the sorted classes.  A data frame has the classes as names, and may have
          classes that are not in y.
        - A dict of these with pairs of columns (a, b) as keys, by name or number.  Where only one direction is given,
          the other follows by Bayes' theorem.
        - None: tasks are not coupled.
    margin : float >= 0, default=0.0
        Margin of the cosines of the classifiers, see :class:`metricnets.losses.CosFace`.
    scale : float > 0, default=8.0
        Factor of these cosines; with larger values the nearest classes have more weight, and probabilities are nearer
        to 0 and 1.
    combine : bool, default=True
        Whether predictions of related tasks are combined by Jeffrey's rule.

    Attributes
    ----------
    relatedness_ : Relatedness
        A mapping from pairs of columns (a, b) to matrices of shape (n_classes_a, n_classes_b), of the tasks that are
        related; printed, it shows them.

    See Also
    --------
    EmbeddingNet : One task, with any loss; label sets and hierarchies by the relation of targets.
    MLKNN : Label sets from nearest neighbours.

    References
    ----------
    D. Kollias, V. Sharmanska, S. Zafeiriou, "Distribution matching for multi-task learning of classification tasks: a
    large-scale study on faces & beyond", AAAI 2024.

    Examples
    --------
    >>> from metricnets import MultiTaskNet
    >>> from metricnets.datasets import make_tasks
    >>> X, Y = make_tasks(random_state=0)  # NaN where a sample is not annotated
    >>> net = MultiTaskNet(max_epochs=5, random_state=0).fit(X, Y)
    >>> net.predict(X).shape, [p.shape for p in net.predict_proba(X)]
    ((200, 2), [(200, 3), (200, 3)])
    """

    coupling: Literal["both", "distribution_matching", "soft_co_annotation"] | None = "both"
    coupling_weight: NonNegative = 0.5
    relatedness: Literal["inferred", "counted"] | Array | Annotated[dict, dict] | None = "inferred"
    margin: NonNegative = 0.0
    scale: Positive = 8.0
    combine: Flag = True

    @fitting
    @defaults()
    def fit(
        self,
        X: Array,
        y: Array,
        *,
        sample_weight: MaybeArray = None,
        X_val: MaybeArray = None,
        y_val: MaybeArray = None,
    ) -> Self:
        """Learn the network and the classifiers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or (n_samples, ...) with ``module``
            Training points.
        y : array-like of shape (n_samples, n_columns), or (n_samples,) for one task
            Classes, numbers or strings; None, NaN or a negative number where a sample is not annotated.  The columns of
            a data frame name the tasks.  Samples that are not annotated in any task are left out.
        sample_weight : array-like of shape (n_samples,), float or None, default=None
            How often each sample is drawn, non-negative; see :ref:`weights_deep`.  Only ratios matter, and samples of
            weight 0 are left out.
        X_val, y_val : array-like or None, default=None
            Validation data for ``early_stopping``, as X and y; None holds back a part of X.

        Returns
        -------
        self : object
            The fitted learner.

        Warns
        -----
        UserWarning
            If relatedness should be counted, and no sample is annotated in two tasks.

        Raises
        ------
        ValueError
            If a task has fewer than two classes, X, y, the weights or the relatedness do not have this form, or the
            loss is no longer finite.
        FitInterrupted
            If the user interrupts training after the first epoch.  The learner is fitted.
        """
        X, codes, n_val = self._read(X, y, X_val, y_val)
        is_train = np.arange(len(X)) < len(X) - n_val
        weights = with_validation(check_weights(sample_weight, np.count_nonzero(is_train)), len(X))
        X, codes, is_train, weights = used(weights, X, codes, is_train)
        some = (codes != UNKNOWN).any(axis=1)
        X, codes, is_train, weights = X[some], codes[some], is_train[some], rows_of(weights, some)
        self._check_tasks(codes, is_train, n_val)
        self._relate(X[is_train], codes[is_train], rows_of(weights, is_train))
        targets = Targets(tensor_of(codes), torch.arange(len(X)), weights=weights)
        strata = np.unique(codes != UNKNOWN, axis=0, return_inverse=True)[1].ravel()
        counts = np.where(is_train, 1.0 if weights is None else weights, 0.0) if n_val else weights
        return self._learn(self._prepare(X, targets, strata, counts, np.count_nonzero(is_train) if n_val else None))

    def _relate(self, X, codes, weights):
        """Set ``relatedness_``; warn if it cannot be counted."""
        tasks = self._columns
        given = self.relatedness if self.coupling else None
        self.relatedness_ = relatedness_of(given, tasks, codes, weights, X)
        self._priors = [class_frequencies(c, len(k), weights) for c, k in zip(codes.T, tasks.classes)]
        if isinstance(given, str) and given == "counted" and tasks.pairs() and not len(self.relatedness_):
            warn(
                "no sample of y is annotated in two tasks, so relatedness='counted' counts nothing and tasks are not "
                "coupled; set relatedness='inferred', or give matrices, or set coupling=None."
            )

    def _criterion(self, network, part, generator):
        z = embeddings(network, part, self._rows_at_once)
        tasks, priors = self._columns, [torch.as_tensor(p, dtype=torch.float32) for p in self._priors]
        sizes = [len(classes) for classes in tasks.classes]
        heads = new_heads(z, part.targets.labels, sizes, self.margin, self.scale, generator)
        relatedness = {pair: torch.as_tensor(R, dtype=torch.float32) for pair, R in self._numbered().items()}
        matching, co_annotation = (
            self.coupling_weight * (self.coupling in kinds) for kinds in (MATCHING, CO_ANNOTATION)
        )
        return CoupledLoss(heads, tasks.shares(), relatedness, priors, matching, co_annotation)

    def _numbered(self):
        """``relatedness_`` with numbers of columns as keys."""
        place = self._columns.names.index
        return {(place(a), place(b)): R for (a, b), R in self.relatedness_.items()}

    def _combined(self, probabilities):
        return combined(probabilities, self._numbered()) if self.combine else probabilities

"""The shell of the deep metric learners that take any loss and any miner."""

import copy
from functools import partial
from typing import Annotated

import numpy as np
import torch
from sklearn.utils import column_or_1d
from torch import nn

from metricnets import losses, miners, relations
from metricnets._params import Function, MaybeDict, MaybeFunction, MaybePositive, StrOptions, UpToOne, Whole
from metricnets._targets import CLASSES
from metricnets.deep._stream import SupervisedStream
from metricnets.deep._training.foreign import check_params, checked_miner, naming, takes
from metricnets.deep._training.memory import WithMemory
from metricnets.deep._training.on_labels import OnLabels, embeddings, fewer, loss_module
from metricnets.losses._modules import ModuleLoss


class AnyLoss(SupervisedStream):
    """Deep metric trained with any loss.

    Parameters
    ----------
    loss : str or callable, default='triplet'
        Loss to minimise, see :ref:`losses`.

        - The name of a loss, such as 'contrastive', 'multi_similarity' or 'proxy_anchor'.  The losses of two views,
          'info_nce', 'siglip' and 'vicreg', take sampler='matched' instead of 'balanced'.
        - A function ``(z, r) -> scalar`` of embeddings and relation.  r is NaN on the diagonal and where the
          relation is unknown; ``r > 0.5`` and ``r <= 0.5`` are both False there.  Select pairs before you compute.
        - A ``torch.nn.Module``, called with embeddings and class codes, such as the losses of
          pytorch-metric-learning.  Its parameters are trained too.  A class is created with the arguments
          ``n_components``, ``n_classes`` and ``generator`` if it has parameters of these names.
    loss_params : dict or None, default=None
        Keyword arguments of the loss.
    loss_lr : float > 0 or None, default=None
        Learning rate of the parameters of a loss that is a module, which have no weight decay.  None is 10 times
        ``lr``, or ``lr`` with an optimiser of your own.
    relation : str or callable, default='auto'
        Relation r of two targets: a name of :mod:`metricnets.relations`, or a function ``(y_a, y_b) -> r``.  'auto'
        takes 'same_class' for classes, 'jaccard' for label sets, 'overlap' for distributions and 'absolute' for real
        values; whole numbers are classes.  Set 'known_class' if some labels are unknown.
    miner : str, callable or None, default=None
        Miner that selects the pairs of a batch.

        - The name of a miner of :mod:`metricnets.miners`.
        - A function ``(z, r) -> r`` that sets r to NaN where a pair should not count.
        - If the loss is a module of others, a miner of pytorch-metric-learning.
        - None for the easy positives of ``positive_fraction``.
    miner_params : dict or None, default=None
        Keyword arguments of the miner.
    positive_fraction : float in (0, 1], default=0.25
        Share of the similar samples in a batch that count as positives of a sample, those at the smallest distance,
        see :func:`metricnets.miners.easy_positives`, so that classes may consist of several clusters; 1 draws all
        samples of a class together, which loss='alignment' needs if all distances matter.  It has no effect with a
        ``miner``, which selects among all pairs, nor if targets are not classes, with sampler='pairs' or 'matched',
        or if the loss is a module.

    memory : int >= 0, default=0
        Number of embeddings of past batches with which a batch is compared too, from the second epoch on (cross-batch
        memory), for more negatives than fit into a batch.  For losses of ``(z, r)``; they take (batch_size + memory)²
        numbers then, or fewer with ``chunk_size``.

    Attributes
    ----------
    loss_ : torch.nn.Module, or list of torch.nn.Module
        The trained loss, on the CPU, if it is a module; with several networks the loss of each.
    classes_ : ndarray of shape (n_classes,)
        The classes, if the loss is a module.
    """

    loss: Annotated[str, StrOptions({*losses.CATALOGUE})] | Function = "triplet"
    loss_params: MaybeDict = None
    loss_lr: MaybePositive = None
    relation: Annotated[str, StrOptions({"auto", *relations.NAMES})] | Function = "auto"
    miner: Annotated[str, StrOptions({*miners.__all__})] | MaybeFunction = None
    miner_params: MaybeDict = None
    positive_fraction: UpToOne = 0.25
    memory: Whole = 0

    @property
    def _graded(self):
        """Whether the loss learns without similar pairs: from grades, classes, or the variance of each column."""
        if callable(self.loss):
            return True
        entry = losses.CATALOGUE[self.loss]
        return entry.needs == "grades" or entry.without_similar or classifies(self.loss)

    @property
    def _two_views(self):
        return not callable(self.loss) and losses.CATALOGUE[self.loss].needs == "two views"

    def _validated(self, X, y):
        check_params("loss", self.loss, resolved(self.loss), self.loss_params)
        check_params("miner", self.miner, self._function_of_miner(), self.miner_params)
        self._try_names()
        if self.memory and (is_module(resolved(self.loss)) or self._pairing is not None):
            raise ValueError(
                f"memory={self.memory} is for losses of (z, r) with sampler='balanced' or 'shuffled'; set it to 0."
            )
        if is_module(resolved(self.loss)):
            self._check_on_labels()
            y = column_or_1d(y, warn=True) if getattr(y, "shape", ())[1:] == (1,) else y
        elif type(self.miner).__module__.startswith("pytorch_metric_learning"):
            raise ValueError(
                f"miner={type(self.miner).__name__} of pytorch-metric-learning takes class codes, and "
                f"loss={self.loss!r} takes (z, r); choose a miner of metricnets.miners, or one of their losses."
            )
        elif self._two_views and self.sampler in ("pairs", "shuffled"):
            raise ValueError(
                f"loss={self.loss!r} compares matched rows, and sampler={self.sampler!r} draws none; set 'matched'."
            )
        elif self.sampler == "pairs":
            self._check_of_pairs()
        return super()._validated(X, y)

    def _try_names(self):
        """Have a loss and a miner of ours check their parameters, before any work."""
        z, r = torch.zeros(2, 2), torch.full((2, 2), torch.nan)
        for given, function, params in (
            (self.loss, resolved(self.loss), self.loss_params),
            (self.miner, self._function_of_miner(), self.miner_params),
        ):
            if isinstance(given, str):
                random = {"generator": torch.Generator()} if takes(function, "generator") else {}
                function(*((2, 2) if is_module(function) else (z, r)), **random, **(params or {}))

    def _why_not_in_batches(self):
        if isinstance(self.loss, nn.Module) or (is_module(self.loss) and not is_module(self.loss, ModuleLoss)):
            return f"loss={self.loss!r} may have parameters for each class, and later batches may have new ones."
        if is_module(resolved(self.loss)) and not self.replay_size:
            return f"loss={self.loss!r} has parameters for each class, and replay_size=0 keeps no samples of them."
        return super()._why_not_in_batches()

    def _check_kept(self, classes):
        if len(classes) > self.replay_size and is_module(resolved(self.loss)):
            raise ValueError(
                f"replay_size={self.replay_size} would keep no samples of some of the {len(classes)} classes so far, "
                f"and loss={self.loss!r} has parameters for each; set it to {len(classes)} or more."
            )

    def _function_of_miner(self):
        return getattr(miners, self.miner) if isinstance(self.miner, str) else self.miner

    def _check_targets(self, labels, classes, n):
        if not is_module(resolved(self.loss)):
            return
        if classes is None:
            raise ValueError(
                f"loss={self.loss!r} is a module, which needs classes in y, and y has continuous or several targets; "
                "set relation='same_class' if they are classes."
            )
        if n is not None and not np.isin(labels[n:][labels[n:] >= 0], labels[:n]).all():
            raise ValueError(
                f"y_val has classes that are not in y, for which loss={self.loss!r} has no parameters; leave them out, "
                "or choose a loss of (z, r)."
            )

    def _check_of_pairs(self):
        """With sampler='pairs' each sample of a batch is in one pair."""
        if not callable(self.loss) and not losses.CATALOGUE[self.loss].single_pairs:
            raise ValueError(
                f"loss={self.loss!r} compares two pairs of a sample, and sampler='pairs' leaves one; set 'balanced'."
            )
        if isinstance(self.miner, str):
            raise ValueError(
                f"miner={self.miner!r} selects among the pairs of a sample, and sampler='pairs' leaves one; set "
                "'balanced', or miner=None."
            )

    def _check_on_labels(self):
        """A module as loss takes class codes: neither another relation, nor pairs, nor a miner of a relation."""
        if self.relation not in ("auto", *CLASSES):
            raise ValueError(
                f"relation={self.relation!r} is for losses of (z, r), and a module as loss takes class codes; leave it "
                "at 'auto', or set 'known_class' if some labels are unknown."
            )
        if self.sampler == "pairs":
            raise ValueError(
                "sampler='pairs' is for losses of (z, r), and a module as loss takes whole batches; set 'balanced' or "
                "'shuffled'."
            )
        if self.miner is not None and is_module(resolved(self.loss), ModuleLoss):
            raise ValueError(
                f"miner={self.miner!r} selects pairs, and loss={self.loss!r} takes all samples of a batch and their "
                "classes; leave miner at None."
            )
        if isinstance(self.miner, str) or self.miner_params:
            raise ValueError(
                f"miner={self.miner!r} with miner_params={self.miner_params} is for losses of (z, r), and a module as "
                "loss takes class codes; give a miner that takes them, an instance such as those of "
                "pytorch-metric-learning."
            )

    def _criterion(self, network, part, generator):
        loss, of_relation = resolved(self.loss), super()._criterion(network, part, generator)
        if self.memory:
            of_relation = WithMemory(of_relation, self.memory, len(part))
        if not isinstance(loss, type | nn.Module):
            return of_relation
        few = fewer(part)
        embed = partial(embeddings, network, few, self._rows_at_once)
        with naming("loss", loss):
            module = loss_module(loss, self.loss_params or {}, embed, few.targets, generator)
        if not isinstance(module, nn.Module):
            return of_relation
        return OnLabels(module, copy.deepcopy(self.miner), once=part.targets.weights is None)

    def _miner(self, relation, generator):
        if self.miner is None:
            return super()._miner(relation, generator)
        if callable(self.miner):
            mine = partial(self.miner, **self.miner_params) if self.miner_params else self.miner
            return partial(checked_miner, mine)
        mine = self._function_of_miner()
        random = {"generator": generator} if takes(mine, "generator") else {}
        return partial(mine, **random, **(self.miner_params or {}))

    @property
    def _by_anchors(self):
        if (self._two_views and self._pairing != "views") or callable(self.miner) or self.miner == "angular":
            return False
        return isinstance(self.loss, str) and losses.CATALOGUE[self.loss].of_anchors is not None

    def _loss_of_anchors(self, z, r):
        return losses.CATALOGUE[self.loss].of_anchors(z, r, **(self.loss_params or {}))

    def _loss(self, z, r):
        if not callable(self.loss):
            return resolved(self.loss)(z, r, **(self.loss_params or {}))
        with naming("loss", self.loss):
            return self.loss(z, r, **(self.loss_params or {}))

    def _keep(self, problem, trained):
        super()._keep(problem, trained)
        for name in ("loss_", "classes_"):  # of an earlier fit
            vars(self).pop(name, None)
        modules = []
        for criterion in trained.criteria:
            if isinstance(criterion, nn.Module):
                modules += [part.loss for part in criterion.modules() if isinstance(part, OnLabels)]
        if modules:
            self.loss_ = modules[0] if len(modules) == 1 else modules
            self.classes_ = problem.rows.targets.classes


def resolved(loss):
    """The function or class of a name, or the loss that was given."""
    return losses.CATALOGUE[loss].loss if isinstance(loss, str) else loss


def is_module(loss, of=nn.Module):
    """Whether a loss is a module of this kind, or a class of such modules."""
    return isinstance(loss, of) or (isinstance(loss, type) and issubclass(loss, of))


def classifies(loss):
    """Whether a loss has logits of the classes."""
    return hasattr(resolved(loss), "logits")

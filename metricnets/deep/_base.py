"""Base class of the deep metric learners: parameters, hooks, and the three steps of a fit."""

import copy
from contextlib import contextmanager, nullcontext
from typing import Annotated, Literal

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import validate_data
from torch import nn

from metricnets._callbacks import CallbackSupport
from metricnets._params import (
    NOTHING,
    Count,
    Flag,
    Function,
    Jobs,
    MaybeCheckpoint,
    MaybeCount,
    MaybeFunction,
    MaybeList,
    NonNegative,
    Parametrized,
    Positive,
    Seed,
    Share,
    Verbosity,
)
from metricnets._tables import is_table
from metricnets._tuples import FLOATS
from metricnets.deep._training.callbacks import Passes
from metricnets.deep._training.checkpoint import journaled
from metricnets.deep._training.consistency import Consistent
from metricnets.deep._training.data import CHUNK, Plan, Problem, Rows, Trained
from metricnets.deep._training.embedding import EmbeddingMixin, check_trainable, checked_network, takes_double
from metricnets.deep._training.loop import Options, Part, train
from metricnets.deep._training.precision import check_precision
from metricnets.deep._training.process_group import agreed_seed, processes, share
from metricnets.deep._training.resumed import resumable
from metricnets.deep._training.runtime import device_for, global_randomness, threads_for
from metricnets.deep._training.same_call import check_same_call
from metricnets.deep._training.scaling import applied, in_single_precision, standardization
from metricnets.deep._training.shrinkage import shrink, state_of
from metricnets.deep._training.stream import Start
from metricnets.deep._training.tables import are_equal, used_rows, validated_table
from metricnets.exceptions import FitInterrupted, warn
from metricnets.networks import Standardize, without_generators

# Times lr is the learning rate of the parameters of a loss.  On rows held back of digits and olivetti 1, 10 and 100
# differ little for losses of cosines, and 10 is the best for linear classifiers, which are slow with 1.
LOSS_LR = 10
FEEDS_LOSS = {"loss", "miner", "sampler", "relation"}  # parameters that may leave nothing to learn from


class DeepMetric(CallbackSupport, EmbeddingMixin, Parametrized):
    """Deep metric d(x, x') = ‖f(x) − f(x')‖₂, where f is a neural network.

    It contains everything about training.  The ``fit`` of a subclass prepares a `Problem`, trains, and finishes; its
    hooks define the network, the loss and the batches.

    Parameters
    ----------
    optimizer : {'adamw', 'adam', 'sgd'} or callable, default='adamw'
        Optimiser; 'sgd' has momentum 0.9.  A callable takes the parameters to train, ``lr=`` and, if it has
        it, ``weight_decay=``, and returns an optimiser of PyTorch.
    lr : float > 0, default=0.003
        Learning rate.
    lr_schedule : {'cosine', 'linear'}, callable or None, default='cosine'
        Schedule by which the learning rate falls to 0 at the last epoch.  A callable takes the optimiser and returns
        a scheduler of PyTorch, which is stepped after each epoch.  None keeps the learning rate constant.
    weight_decay : float >= 0 or 'auto', default='auto'
        Strength λ of the penalty λ‖θ‖² on the weights and biases of the network.  With 'adamw' it is decoupled from
        the gradient: weights shrink by ``lr * weight_decay`` in each step.  The other optimisers add it to the
        gradient.  'auto' is 3.0 with 'adamw', and 0.0001 otherwise.
    max_epochs : int >= 1, default=40
        Maximum number of epochs, that is, passes over the data.
    batch_size : int >= 1, default=128
        Approximate number of samples in a batch.  With ``module``, also the number of points embedded at a time.
    early_stopping : bool, default=False
        Whether to hold back a part of the samples, or to use the validation data given to ``fit``, stop when the loss
        on them does not improve, and keep the weights of the best epoch.
    validation_fraction : float in (0, 1), default=0.1
        Fraction of the samples to hold back for early stopping, if ``fit`` is given no validation data.
    n_iter_no_change : int >= 1, default=10
        Number of epochs without improvement after which training stops early.
    callbacks : list or None, default=None
        Callbacks of skorch.
    device : str or torch.device, default='auto'
        Device of PyTorch to train and embed on; 'auto' is 'cuda' if it is available, otherwise 'cpu'.
    n_jobs : int or None, default=None
        Number of threads of ``fit`` and ``transform`` on the CPU; see :ref:`cores`.  -1 is all cores; None is that of
        ``joblib.parallel_config``, or 1.  Small batches use one.
    precision : {'float32', 'bf16'}, default='float32'
        Precision of the network in training.  'bf16' computes its matrix products in bfloat16, which is faster for
        wide networks on GPUs and CPUs that have instructions for it; weights, optimiser, loss, validation and
        ``transform`` stay in single precision.
    chunk_size : int >= 1 or None, default=None
        Number of points of a batch that are embedded at a time, for batches that do not fit into memory; see
        :ref:`large_batches`.  The gradient is that of the whole batch, and a step takes longer, as each point is
        embedded twice.  None takes a batch at once.
    distributed : bool, default=False
        Whether to train in all processes of a group that ``torch.distributed.run`` has launched, each of which calls
        ``fit`` with the same data; see :ref:`processes`.  They share the rows of each batch, and the result is that of
        one process.  Other data or parameters in one of them are an error in all.
    checkpoint : str, path, dict or None, default=None
        Folder for the state of training, from which the same call goes on after it was ended; see :ref:`long_fits`.
        A dict has the options of this folder:

        - 'folder': its path.
        - 'minutes' (float >= 0, default .5) and 'epochs' (int >= 1, default 1): a state is written after each so many
          epochs, if so many minutes have passed since the last one.
        - 'keep' (bool, default False): whether the files stay after a fit that ended well, so that the same call has
          its result at once.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, batches and dropout.  Pass an int for reproducible results across
        multiple calls.  Global random generators are left unchanged.
    verbose : int, default=0
        1 shows a progress bar for each network, with the loss and the time left of the network and of the fit; 2 also
        prints the loss of each epoch.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, on the CPU.
    history_ : list of dict
        For each epoch: epoch, train_loss, dur (seconds) and, with early stopping, valid_loss.  With several
        networks, the epochs of one network follow those of the other.
    """

    optimizer: Literal["adamw", "adam", "sgd"] | Function = "adamw"
    lr: Positive = 0.003
    lr_schedule: Literal["cosine", "linear"] | MaybeFunction = "cosine"
    weight_decay: Literal["auto"] | NonNegative = "auto"
    max_epochs: Count = 40
    batch_size: Count = 128
    early_stopping: Flag = False
    validation_fraction: Share = 0.1
    n_iter_no_change: Count = 10
    callbacks: MaybeList = None
    device: Annotated[str | torch.device, str, torch.device] = "auto"
    n_jobs: Jobs = None
    precision: Literal["float32", "bf16"] = "float32"
    chunk_size: MaybeCount = None
    distributed: Flag = False
    checkpoint: MaybeCheckpoint = None
    random_state: Seed = None
    verbose: Verbosity = 0

    # ---- hooks

    def _plan(self):
        """Hook: the kind of networks to train, a `Plan`."""
        return Plan(of_others=any(map(callable, self.get_params(deep=False).values())))

    def _network(self, rows, generator, member):
        """Hook: a new network for these rows, with initial weights from the generator; the ``member``-th of several."""
        raise NotImplementedError

    def _joined(self, networks, X):
        """Hook: the module that embeds, made of the trained networks."""
        return networks[0]

    def _criterion(self, network, part, generator):
        """Hook: a new loss, ``(network output, targets of a batch) -> scalar``; parameters of a module are trained.

        It may depend on the network before training, and on the rows to train on, a `Part`.
        """
        raise NotImplementedError

    def _make_batches(self, part, rng):
        """Hook: an iterable of index lists for the rows of a part; each iteration is a new pass."""
        raise NotImplementedError

    def _first_layers(self, X, standardize, targets, kept, seed):
        """Hook: layers after the standardisation that are computed from the points, and not trained."""
        return []

    def _layers_of(self, start, X, targets, kept, seed):
        """Hook: the layers of a `Start`; ValueError if the points have another shape."""
        return start.layers_for(X)

    def _similarity(self, targets, kept):
        """Hook: rows of X that form the rows ``kept``, and which of them are similar, `OfTargets` or `OfPairs`."""
        raise NotImplementedError

    _standardization = staticmethod(standardization)  # hook: the layer that standardises points, by their weights
    loss_lr, unlabeled, warm_start = None, None, False  # unless they are parameters
    _takes_sparse = True
    _in_parts = False  # whether points may be read some at a time, and are not needed all at once
    _is_whitened = False  # whether networks start from the map of `wccn` of all features
    _shrinks = False  # whether networks may be shrunk to their start
    _exposed = None  # or a function from the network to the module whose output the loss takes

    # ---- prepare, train, finish

    def _around_fit(self, method, arguments):
        asks = self.device != "auto" or self.distributed or self.checkpoint is not None
        return self._on_device_together(method, arguments) if asks else NOTHING

    @contextmanager
    def _on_device_together(self, method, arguments):
        """Context of a fit on a device that is here, in processes that were given the same, and recorded in files."""
        with processes() if self.distributed else NOTHING as group:
            device_for(self.device)
            if group is not None:
                check_same_call(group, self, method, arguments)
            if self.checkpoint is None:
                yield
                return
            with journaled(self.checkpoint, self.random_state, group is None or group.rank == 0):
                yield
                if group is not None:
                    group.any(False)  # files are removed when all have come to the end

    def _validated(self, X, *y):
        dtype = FLOATS if self._plan().of_ours else FLOATS[::-1]  # other types are converted to the first
        if is_table(X):
            return self._validated_table(X, *y, dtype=dtype, multi_output=True, at_least=2)
        X = np.asarray(X) if isinstance(X, list | tuple) else X  # of float64: values may be too large for the first
        multi_output = {"multi_output": True} if y else {}
        checks = {"dtype": dtype, "allow_nd": True, "ensure_min_samples": 2, "ensure_all_finite": self._finite}
        return validate_data(self, X, *y, **checks, **multi_output)

    def _validated_more(self, X, *y, dtype, **checks):
        """Points of the features of those before, such as validation data, and their targets."""
        if is_table(X):
            return self._validated_table(X, *y, reset=False, dtype=[dtype], **checks)
        checks |= {"reset": False, "dtype": dtype, "allow_nd": True, "ensure_all_finite": self._finite}
        return validate_data(self, X, *y, **checks)

    def _validated_table(self, X, *y, **checks):
        """Points that are read some at a time, if the learner can, and as an array if not; and their targets."""
        found = validated_table(self, X, *y, finite=self._finite, **checks)
        if self._in_parts:
            return found
        return (found[0][:], *found[1:]) if y else found[:]

    def _prepare(self, X, targets, strata=None, weights=None, n_train=None, start=None):
        """Prepare the `Problem` of learning from these points and targets.

        Parameters
        ----------
        X : ndarray of shape (n, ...)
        targets : Targets
        strata : ndarray of shape (n_rows,) or None
            Classes by which the part held back is stratified.
        weights : ndarray of shape (n,) or None
            Number of occurrences of each point.
        n_train : int or None
            Number of the rows before the validation data of the user; None to hold back some of them.
        start : Start or None
            What training goes on from; None for new networks.
        """
        plan, seed = self._plan(), self._seed()
        if self.precision != "float32":
            check_precision(self.precision, device_for(self.device))
        n = len(targets.labels)
        kept, held_back = np.split(np.arange(n), [n_train]) if n_train else self._split(n, strata, seed)
        self._rows_at_once = CHUNK if plan.of_ours else int(min(self.batch_size, self.chunk_size or self.batch_size))
        self._point_shape, layers = X.shape[1:], [] if start is None else self._layers_of(start, X, targets, kept, seed)
        if plan.of_ours and start is None:
            standardize = self._standardization(*(X, None) if weights is None else used_rows(X, weights))
            with global_randomness(seed) if plan.of_others else NOTHING:
                layers = [standardize, *self._first_layers(X, standardize, targets, kept, seed)]
        X = applied(layers, X, in_parts=self._in_parts) if layers else in_single_precision(X)
        shrinkage = 0.0 if start is None else start.shrinkage
        rows = Rows(X, targets, kept)
        return Problem(plan, rows, layers, kept, held_back, seed, start, n_train=n_train, shrinkage=shrinkage)

    def _split(self, n, strata, seed):
        """Indices of the rows to train on and of those held back for early stopping."""
        if not self.early_stopping:
            return np.arange(n), np.arange(0)
        if strata is not None:
            _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
            strata = np.where(counts[codes] > 1, codes, -1)  # classes of one row form one stratum
            counts, n_held_back = np.unique(strata, return_counts=True)[1], int(np.ceil(self.validation_fraction * n))
            if counts.min() < 2 or min(n_held_back, n - n_held_back) < len(counts):
                strata = None  # there are too many classes for a row of each in both parts
        if min(self.validation_fraction, 1 - self.validation_fraction) * n < 1:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves one part of {n} rows empty; change it, or set "
                "early_stopping=False."
            )
        return train_test_split(np.arange(n), test_size=self.validation_fraction, stratify=strata, random_state=seed)

    def _learn(self, problem):
        """Train and finish; raise `FitInterrupted` in the end if the user interrupted."""
        trained = self._train(problem)
        self._finish(problem, trained)
        if trained.interrupted:
            raise self._interruption(problem, trained)
        return self

    def _train(self, problem):
        """Train new networks; KeyboardInterrupt if the user interrupts before the end of the first epoch."""
        plan, rows, seed = problem.plan, problem.rows, problem.seed
        parts, rng, trained = [Part(rows, problem.kept)], np.random.default_rng(seed), Trained([], [*problem.history])
        if len(problem.held_back):
            parts.append(Part(rows, problem.held_back))
        device, together = device_for(self.device), processes() if self.distributed else NOTHING
        draws = global_randomness(seed, device) if plan.of_others else nullcontext(torch.Generator().manual_seed(seed))
        with together as group, threads_for(rows.X, self.n_jobs), draws as generator:
            for part in parts:
                part.sampler = self._make_batches(part, rng)
            for part in parts[1:]:
                part.sampler = list(part.sampler)  # epochs are compared on the same batches
            try:
                options = self._options(device, generator, problem)
                if group is not None:
                    share(group, problem, options)
                while len(trained.networks) < plan.n_networks and not (trained.interrupted or trained.stopped):
                    self._train_another(trained, problem, parts, options)
            except KeyboardInterrupt:  # while a network was built
                trained.interrupted = True
            if not trained.networks or (trained.interrupted and self.distributed):  # the others know nothing of it
                raise KeyboardInterrupt
        return trained

    def _train_another(self, trained, problem, parts, options):
        """Train one more network; it is kept if at least one epoch was finished."""
        rows, task = problem.rows, getattr(self, "_fit_task", None)
        network, exposed, criterion = self._new_network(problem, parts[0], options, len(trained.networks))
        initial = copy.deepcopy(network.state_dict()) if self._shrinks or problem.shrinkage else None
        of_loss = state_of(criterion) if problem.start is not None and problem.shrinkage else None
        n = problem.plan.n_networks
        options.title = f"network {len(trained.networks) + 1} of {n}" if n > 1 else type(self).__name__
        options.n_after = self.max_epochs * (n * (problem.n_after + 1) - len(trained.networks) - 1)
        if task is not None:
            options.passes = Passes(task, problem, trained, network, initial, criterion, options.generator)
        with threads_for(rows.X, self.n_jobs, network, self.batch_size):
            if self.checkpoint is not None:
                options.resumable = resumable(self, problem, exposed, criterion, parts, options)
            history, trained.interrupted, learned = train(exposed, criterion, parts, options)
        trained.stopped = task is not None and task.stopped
        if options.processes is not None and not trained.interrupted:
            trained.stopped = options.processes.any(trained.stopped)
        trained.learned = trained.learned or learned or are_equal(rows.X)
        if history:
            if problem.shrinkage:
                shrink(network, initial, problem.shrinkage)
                shrink(criterion, of_loss, problem.shrinkage)
            trained.networks.append(network)
            trained.starts.append(initial)
            trained.criteria.append(criterion)
            trained.history += history

    def _new_network(self, problem, part, options, member):
        """The ``member``-th network before training, the module whose output the loss takes, and the loss."""
        network = self._network(problem.rows, options.generator, member)
        if not problem.plan.of_ours:
            network = checked_network(network, problem.rows.X)
        if problem.start is not None:
            problem.start.load(network, member)
        exposed = network if self._exposed is None else self._exposed(network)
        criterion = self._criterion(network, part, options.generator)
        if self.unlabeled == "consistency":
            criterion = Consistent(criterion)
        if options.processes is not None:
            options.processes.agree(network, criterion)
        if options.of_others:
            check_trainable(network, criterion)
        return network, exposed, criterion

    def _options(self, device, generator, problem):
        decay = problem.decay if self.optimizer == "adamw" else 1e-4
        return Options(
            optimizer=self.optimizer,
            lr=self.lr,
            loss_lr=self.loss_lr or self.lr * (1 if callable(self.optimizer) else LOSS_LR),
            weight_decay=decay if self.weight_decay == "auto" else self.weight_decay,
            max_epochs=self.max_epochs,
            lr_schedule=self.lr_schedule,
            patience=self.n_iter_no_change,
            callbacks=self.callbacks,
            device=device,
            verbose=self.verbose,
            generator=generator,
            of_others=problem.plan.of_others,
            precision=self.precision,
            chunk_size=self.chunk_size and int(self.chunk_size),  # `split` takes no integers of NumPy
        )

    def _max_passes(self):
        return self.max_epochs * self._plan().n_networks

    def _take(self, found, task):
        self._keep(*found)

    @torch.no_grad()
    def _keep(self, problem, trained):
        """Set ``module_``, which takes points as the user gives them, and ``history_``."""
        X, of_ours, self.history_ = problem.rows.X, problem.plan.of_ours, trained.history
        self.module_ = without_generators(self._joined(trained.networks, X).eval())
        self._n_features_out = self.module_(X[:2]).shape[1]
        self._in_double = of_ours or takes_double(self.module_, X[:2])
        if of_ours:
            standardize, *others = problem.layers
            if self._linear:  # then the origin does not matter
                standardize = Standardize(0.0, 0.0, standardize.scale)
            self.module_ = nn.Sequential(standardize, *others, self.module_).eval()
        if hasattr(self, "_solution"):  # a warm start goes on from it
            n = len(problem.kept)
            self._solution = Start(self._point_shape, problem.layers, trained.networks, self.n_components, n)
            vars(self).pop("_memory", None)  # until a `partial_fit` sets it: that of before does not belong to a `fit`

    @torch.no_grad()
    def _finish(self, problem, trained):
        """Keep what was learned; ValueError if it is not finite, and a warning if it is useless."""
        self._keep(problem, trained)
        for network, X in self._final(problem):
            n_rows = min(256, self._rows_at_once)
            some = X[:: max(1, len(X) // n_rows)][:n_rows]  # not the first ones, which may be of one class
            z = network(some)
            if not torch.isfinite(z).all():
                raise ValueError(f"embeddings are no longer finite numbers after training; lower lr (lr={self.lr}).")
            self._warn_if_collapsed(z, some)
        if not trained.learned and FEEDS_LOSS & {k for k, v in self.get_params(deep=False).items() if callable(v)}:
            warn(
                "nothing was learned, as the loss had no gradient in any batch. Check what leaves out pairs, such as "
                "miner=, sampler= or relation=, and whether all pairs have the margin of the loss from the start."
            )

    def _final(self, problem):
        """Hook: the trained networks, and the points that each of them takes."""
        return [(self.module_[-1] if problem.plan.of_ours else self.module_, problem.rows.X)]

    def _warn_if_collapsed(self, z, x):
        """Hook: warn if outputs z of the network are nearly the same for points x that differ."""
        if collapsed(z, x):
            warn(
                f"embeddings have collapsed: their mean distance is {mean_distance(z):.1e}. Lower lr (lr={self.lr}), "
                "or choose another loss, or easier pairs: 'semihard' or 'all' instead of the hardest."
            )

    def _interruption(self, problem, trained, n_rounds=1):
        """The error that says how many epochs were finished, and are kept, when the user interrupted training."""
        n_epochs = self.max_epochs * problem.plan.n_networks * n_rounds
        kept = self.checkpoint
        onwards = "" if kept is None else f" The same call goes on from what is in checkpoint={kept!r}."
        return FitInterrupted(
            f"training was interrupted; {type(self).__name__} keeps what it learned, {len(trained.history)} of "
            f"{n_epochs} epochs.{onwards}",
            self,
        )

    def _seed(self):
        if isinstance(self.random_state, np.random.RandomState):
            seed = int(self.random_state.randint(2**31 - 1))
        else:
            seed = int(np.random.default_rng(self.random_state).integers(2**31 - 1))
        return agreed_seed(seed) if self.distributed else seed


def mean_distance(z):
    """The root mean squared distance of embeddings."""
    return float((2 * z.double().var(0, unbiased=False).sum()).sqrt())


def collapsed(z, x):
    """Whether embeddings of points x are nearly the same: for their norm, if it is 1, or for margins of losses.

    It is no fault of the network if the points are nearly the same for their norm.
    """
    x = x.flatten(1).double().nan_to_num()
    has_unit_norm = ((z.norm(dim=1) - 1).abs() < 1e-3).all()
    spread = min(1.0, mean_distance(x) / max(1e-300, float(x.square().sum(1).mean().sqrt())))
    return mean_distance(z) < spread * (0.05 if has_unit_norm else 0.01)

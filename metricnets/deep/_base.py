"""The shell of the deep metric learners: validation, seeds, training, embedding."""

import contextlib
import copy
from typing import Annotated, Literal

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from metricnets._numpy_networks import as_numpy
from metricnets._params import (
    Count,
    Flag,
    Function,
    MaybeFunction,
    MaybeList,
    NonNegative,
    Parametrized,
    Positive,
    Seed,
    Share,
    Verbosity,
)
from metricnets._tuples import FLOATS, points_of
from metricnets.base import MetricMixin
from metricnets.deep._training.data import CHUNK, Batches, Problem, Rows, chunks, tensor_of
from metricnets.deep._training.loop import Options, train
from metricnets.deep._training.runtime import defaults, randomness, threads_for
from metricnets.deep._training.scaling import standardization, standardized
from metricnets.exceptions import FitInterrupted, warn
from metricnets.networks import Standardize, WholeNumbers


class DeepMetric(MetricMixin, Parametrized):
    """A metric d(x, x') = ‖f(x) − f(x')‖₂ whose f is a neural network.

    All about training is here.  A ``fit`` prepares a `Problem`, trains, and finishes; hooks say of which network,
    with which loss, in which batches.

    Parameters
    ----------
    optimizer : {'adamw', 'adam', 'sgd'} or callable, default='adamw'
        A callable takes the parameters, ``lr=`` and ``weight_decay=``.  'sgd' has momentum 0.9.
    lr : float > 0, default=0.01
        Learning rate.
    lr_schedule : {'cosine', 'linear'}, callable or None, default='cosine'
        How the learning rate falls, to 0 at the last epoch.  A callable takes the optimiser and
        returns a scheduler of PyTorch, stepped once an epoch.  None keeps it constant.
    weight_decay : float >= 0 or 'auto', default='auto'
        Strength of λ‖θ‖², on the weights and biases of the network.  With 'adamw' it is decoupled
        from the gradient: weights shrink by ``lr * weight_decay`` a step.  'auto' is 1.0 there, and
        0.0001 with the other optimisers, which add it to the gradient.
    max_epochs : int >= 1, default=100
        Passes over the data.
    batch_size : int >= 1, default=128
        Rows of a batch, about.
    early_stopping : bool, default=False
        Whether to hold back a part of the rows, stop when the loss on it does not improve, and
        keep the best epoch.
    validation_fraction : float in (0, 1), default=0.1
        The part held back.
    n_iter_no_change : int >= 1, default=10
        Epochs without improvement after which training stops.
    callbacks : list or None, default=None
        Callbacks of skorch.
    device : str, default='auto'
        'auto' is 'cuda' where there is one, otherwise 'cpu'.
    random_state : int, RandomState instance or None, default=None
        An int gives the same result in every call; the global generators are never used.
    verbose : int, default=0
        1 shows a progress bar with the loss; 2 also prints the loss of every epoch.

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network, on the CPU.
    history_ : list of dict
        epoch, train_loss, dur (seconds) and, with early stopping, valid_loss of every epoch; of one
        network after the other where there are several.
    """

    optimizer: Literal["adamw", "adam", "sgd"] | Function = "adamw"
    lr: Positive = 0.01
    lr_schedule: Literal["cosine", "linear"] | MaybeFunction = "cosine"
    weight_decay: Literal["auto"] | NonNegative = "auto"
    max_epochs: Count = 100
    batch_size: Count = 128
    early_stopping: Flag = False
    validation_fraction: Share = 0.1
    n_iter_no_change: Count = 10
    callbacks: MaybeList = None
    device: Annotated[str, str] = "auto"
    random_state: Seed = None
    verbose: Verbosity = 0

    _standardizes = True  # whether the network is trained on centred points of unit scale
    _n_networks = 1  # how many are trained

    # ---- hooks

    def _network(self, shape, generator):
        """Hook: a new network for points of this shape."""
        raise NotImplementedError

    def _initialize(self, network, rows, generator):
        """Hook: set the weights from the data."""

    def _criterion(self, targets):
        """Hook: a new loss, ``(output of the network, targets of a batch) -> scalar``; a module's parameters learn."""
        raise NotImplementedError

    def _make_batches(self, part, rng):
        """Hook: index lists for the rows of a part, anew at every iteration."""
        raise NotImplementedError

    def _exposed(self, network):
        """Hook: the module whose output the loss reads; ``transform`` takes that of the network."""
        return network

    def _joined(self, networks, X):
        """Hook: the module that embeds, of the trained networks."""
        return networks[0]

    def _draws_globally(self):
        """Hook: whether something draws from PyTorch's global generators."""
        return False

    def _takes_any_shape(self):
        """Hook: whether points may be more than vectors."""
        return False

    # ---- prepare, train, finish

    def _validated(self, X, y):
        dtype = FLOATS[::-1] if self._takes_any_shape() else FLOATS  # what is not floating point becomes the first
        X, y = validate_data(self, X, y, dtype=dtype, allow_nd=True, multi_output=True, ensure_min_samples=2)
        return self._checked_shape(X), y

    def _checked_shape(self, X):
        if X.ndim > 2 and not self._takes_any_shape():
            raise ValueError(f"points have shape {X.shape[1:]}; give a module= that takes such points.")
        if not self._standardizes and max(X.max(), -X.min()) > np.finfo(np.float32).max:
            raise ValueError(
                f"X has values up to {max(X.max(), -X.min()):.3g}, which networks in float32 cannot take; scale it."
            )
        return X

    def _prepare(self, X, targets, strata=None, weights=None, rows=Rows):
        """Make the `Problem` of learning from these points and targets.

        Parameters
        ----------
        X : ndarray of shape (n, ...)
        targets : Targets
        strata : ndarray of shape (n_rows,) or None
            Classes that the part held back should have in proportion.
        weights : ndarray of shape (n,) or None
            How often each point occurs.
        """
        seed, standardize = self._seed(), None
        if self._standardizes:
            standardize = standardization(X, weights)
            X = standardized(X, standardize)
        kept, held_back = self._split(len(targets), strata, seed)
        return Problem(rows(tensor_of(X, torch.float32), targets), standardize, kept, held_back, seed)

    def _split(self, n, strata, seed):
        """Indices of the rows to train on and of those held back for early stopping."""
        if not self.early_stopping:
            return np.arange(n), np.arange(0)
        if strata is not None:
            counts = np.unique(strata, return_counts=True)[1]
            if counts.min() < 2 or self.validation_fraction * n < len(counts):
                strata = None  # there are too many classes, or too small ones, to have some of each
        if min(self.validation_fraction, 1 - self.validation_fraction) * n < 1:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves one part of {n} rows empty; change it, or set "
                "early_stopping=False."
            )
        return train_test_split(np.arange(n), test_size=self.validation_fraction, stratify=strata, random_state=seed)

    def _train(self, problem):
        """Train ``n_networks`` new networks; sets ``module_`` and ``history_``, and returns whether it was interrupted.

        An interrupt before the first epoch is over is raised, as there is nothing to keep.
        """
        rows, device, rng = problem.rows, self._device(), np.random.default_rng(problem.seed)
        batches = [Batches(part, self._make_batches(part, rng)) for part in problem.parts()]
        networks, self.history_, interrupted = [], [], False
        with (
            defaults(device),
            threads_for(rows.X),
            randomness(problem.seed, device, self._draws_globally()) as generator,
        ):
            while len(networks) < self._n_networks and not interrupted:
                network = self._built(rows, generator)
                criterion = self._criterion(rows.targets)
                history, interrupted = train(self._exposed(network), criterion, batches, self._options(device))
                if history:
                    networks.append(network)
                    self.history_ += history
            if not networks:
                raise KeyboardInterrupt
            self._keep(networks, rows.X)
        return interrupted

    def _options(self, device):
        decay = 1.0 if self.optimizer == "adamw" else 1e-4
        return Options(
            optimizer=self.optimizer,
            lr=self.lr,
            weight_decay=decay if self.weight_decay == "auto" else self.weight_decay,
            max_epochs=self.max_epochs,
            lr_schedule=self.lr_schedule,
            patience=self.n_iter_no_change,
            callbacks=self.callbacks,
            device=device,
            verbose=self.verbose,
        )

    def _built(self, rows, generator):
        """Build a network and see that it embeds: rows in, rows out."""
        shape = tuple(rows.X.shape[1:])
        network = self._network(shape, generator)
        self._initialize(network, rows, generator)
        network, z = _embedding(network.eval(), rows.X[:2])
        if not any(p.requires_grad for p in network.parameters()):
            raise ValueError("module has no parameter that could be trained.")
        if not isinstance(z, torch.Tensor) or z.ndim != 2 or len(z) != len(rows.X[:2]):
            got = tuple(z.shape) if isinstance(z, torch.Tensor) else type(z).__name__
            raise ValueError(f"module should turn {len(rows.X[:2])} points into an array (2, n_components); got {got}.")
        self._point_shape = shape
        return network.train()

    @torch.no_grad()
    def _keep(self, networks, X):
        """Make ``module_`` of the trained networks, and see that they embed still."""
        self._rows_at_once = self.batch_size if self._takes_any_shape() else CHUNK
        self.module_ = self._joined(networks, X).eval()
        z = self.module_(X[: min(256, self._rows_at_once)])
        if not torch.isfinite(z).all():
            raise ValueError(f"embeddings are no longer finite numbers after training; lower lr (lr={self.lr}).")
        self._n_features_out = z.shape[1]
        self._in_double = not self._takes_any_shape() or _takes_double(self.module_, X[:2])

    def _finish(self, problem):
        """Let the networks take points as they were given."""
        standardize = problem.standardize
        if standardize is None:
            return
        if self._linear:  # then only differences matter
            standardize = Standardize(0.0, 0.0, standardize.scale)
        self.module_ = nn.Sequential(standardize, self.module_).eval()

    def _unless(self, interrupted):
        """Return self; FitInterrupted if the user interrupted the training."""
        if interrupted:
            raise FitInterrupted(
                f"training was interrupted; the estimator keeps what it learned, {len(self.history_)} of "
                f"{self.max_epochs * self._n_networks} epochs."
            )
        return self

    def _seed(self):
        if isinstance(self.random_state, np.random.RandomState):
            return int(self.random_state.randint(2**31 - 1))
        return int(np.random.default_rng(self.random_state).integers(2**31 - 1))

    def _device(self):
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device={self.device!r} is not available: {error}") from None
        return self.device

    def _device_here(self):
        """The device to embed on, which may be another one than that of the training."""
        try:
            return self._device()
        except ValueError as error:
            warn(f"{error}; points are embedded on the CPU.")
            return "cpu"

    # ---- embed

    def transform(self, X):
        """Embed points.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Of X's precision.
        """
        check_is_fitted(self)
        X = points_of(X, getattr(self, "preprocessor", None))
        return self._points(validate_data(self, X, reset=False, dtype=FLOATS, allow_nd=True))

    def _embed(self, X):
        """Embed an array (n, ...), in its own precision if the network can."""
        dtype = torch.float64 if X.dtype == np.float64 and self._in_double else torch.float32
        module, device = self.module_, self._device_here()
        if device != "cpu" or dtype != torch.float32:
            module = copy.deepcopy(module).to(device, *([dtype] if dtype == torch.float64 else []))
        with defaults(device, gradients=False), threads_for(X):
            parts = chunks(X, size=self._rows_at_once)
            z = [module(tensor_of(part, dtype).to(device)).to("cpu", dtype) for (part,) in parts]
        return torch.cat(z).numpy().astype(X.dtype, copy=False)

    def _shape(self):
        return self._point_shape

    def _frozen(self):
        return as_numpy(self.module_)


@torch.no_grad()
def _embedding(network, X):
    """Embed points; also the network, which gets whole numbers as int64 if it does not take them otherwise."""
    try:
        return network, network(X)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if (X.round() == X).all():
            with contextlib.suppress(RuntimeError, TypeError, ValueError, IndexError):
                of_whole = nn.Sequential(WholeNumbers(), network)
                return of_whole, of_whole(X)
        raise ValueError(f"module cannot embed points of shape {tuple(X.shape[1:])}: {error}") from error


def _takes_double(module, X):
    """Whether a network computes the same in double precision."""
    try:
        z, in_double = module(X), copy.deepcopy(module).double()(X.double())
    except (RuntimeError, TypeError, ValueError):
        return False
    return in_double.dtype == torch.float64 and torch.allclose(z.double(), in_double, rtol=1e-3, atol=1e-4)

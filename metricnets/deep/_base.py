"""The shell of the deep metric learners: validation, seeds, training, embedding."""

import contextlib
import copy

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, validate_data

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
    checked,
    one_of,
)
from metricnets._tuples import FLOATS, points_of
from metricnets.base import MetricMixin
from metricnets.deep._training.data import Rows, Within, chunks, tensor_of
from metricnets.deep._training.loop import train
from metricnets.deep._training.runtime import one_torch_thread, quiet_randomness
from metricnets.deep._training.scaling import beside_points, center_and_scale, fold, standardized
from metricnets.networks import Ensemble


class DeepMetric(MetricMixin, Parametrized):
    """A metric d(x, x') = ‖f(x) − f(x')‖₂ whose f is a neural network.

    All about training is here.  Subclasses give a ``_network`` and a ``fit`` that calls ``_train``.

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

    optimizer: one_of("adamw", "adam", "sgd", or_else=Function) = "adamw"
    lr: Positive = 0.01
    lr_schedule: one_of("cosine", "linear", or_else=MaybeFunction) = "cosine"
    weight_decay: one_of("auto", or_else=NonNegative) = "auto"
    max_epochs: Count = 100
    batch_size: Count = 128
    early_stopping: Flag = False
    validation_fraction: Share = 0.1
    n_iter_no_change: Count = 10
    callbacks: MaybeList = None
    device: checked(str, str) = "auto"
    random_state: Seed = None
    verbose: Verbosity = 0

    _standardizes = False  # whether the network is trained on centred points of unit scale
    n_networks, skip = 1, 0.0  # parameters where they make sense
    _any_shape = False  # whether points may be more than vectors: the network is the user's own

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

    def _validated(self, X, y):
        dtype = FLOATS[::-1] if self._any_shape else FLOATS  # what is not floating point becomes the first
        X, y = validate_data(self, X, y, dtype=dtype, allow_nd=True, multi_output=True, ensure_min_samples=2)
        return self._checked_shape(X), y

    def _checked_shape(self, X):
        if not self._any_shape and X.ndim > 2:
            raise ValueError(f"points have shape {X.shape[1:]}; give a module= that takes such points.")
        return X

    def _train(self, X, targets, criterion, batches, *, rows=None, weights=None, strata=None, wrap=None):
        """Train a new network on the rows of X and targets; sets ``module_`` and ``history_``.

        Parameters
        ----------
        X : ndarray of shape (n, ...)
        targets : ndarray of shape (n_rows, ...)
        criterion : callable
            Called without arguments, once PyTorch is seeded; returns a function, or a module,
            ``(network output, targets of a batch) -> loss``.
        batches : callable
            ``(targets, rng) -> sampler``: index lists for these targets.
        rows : callable or None
            ``(X, targets, kept) -> Rows``, of tensors and the indices of what is not held back, where rows
            are more than those of X.
        weights : ndarray of shape (n,) or None
            How often each point occurs.
        strata : ndarray of shape (n_rows,) or None
            Classes that the part held back should have in proportion.
        wrap : callable or None
            From the network to the module whose output ``criterion`` reads.

        Returns
        -------
        held_back : ndarray
            Indices of the rows that were held back, none without early stopping.
        interrupted : bool
            Whether the user interrupted the training.
        """
        if max(X.max(), -X.min()) > np.finfo(np.float32).max:
            raise ValueError(
                f"X has values up to {max(X.max(), -X.min()):.3g}, which networks in float32 cannot take; scale it."
            )
        seed, device = self._seed(), self._device()
        rng = np.random.default_rng(seed)
        if self._standardizes:
            mean, scale = center_and_scale(X, weights)
            X = standardized(X, mean, scale)
        kept, held_back = self._split(len(targets), strata, seed)
        table = tensor_of(X, torch.float32), tensor_of(targets)
        dataset = Rows(*table) if rows is None else rows(*table, kept)
        parts = [Within(part, batches(targets[part], rng)) for part in (kept, held_back) if len(part)]
        with quiet_randomness(seed, device), self._threads():
            networks, self.history_, interrupted = [], [], False
            while len(networks) < self.n_networks and not interrupted:
                networks.append(self._built(dataset))
                history, interrupted = train(
                    networks[-1] if wrap is None else wrap(networks[-1]),
                    criterion(),
                    dataset,
                    parts[0],
                    valid_batches=parts[1] if self.early_stopping else None,
                    patience=self.n_iter_no_change,
                    optimizer=self.optimizer,
                    lr=self.lr,
                    lr_schedule=self.lr_schedule,
                    weight_decay=self._decay(),
                    max_epochs=self.max_epochs,
                    callbacks=self.callbacks,
                    device=device,
                    verbose=self.verbose,
                )
                self.history_ += history
            module = networks[0] if len(networks) == 1 else Ensemble(networks)
            self.module_ = (beside_points(module, dataset.X, self.skip) if self.skip else module).eval()
            with torch.no_grad():
                z = self.module_(dataset.X[:256])
        if not torch.isfinite(z).all():
            raise ValueError(f"embeddings are no longer finite numbers after training; lower lr (lr={self.lr}).")
        self._n_features_out = z.shape[1]
        if self._standardizes:
            fold(self.module_, mean, scale)
        return held_back, interrupted

    def _built(self, rows):
        """Build the network and see that it embeds: rows in, rows out."""
        X = rows.X
        shape = tuple(X.shape[1:])
        module = self._network(shape)
        self._initialize(module, rows)
        with torch.no_grad():
            z = module.eval()(X[:2])
        if not any(p.requires_grad for p in module.parameters()):
            raise ValueError("module has no parameter that could be trained.")
        if not isinstance(z, torch.Tensor) or z.ndim != 2 or len(z) != len(X[:2]):
            got = tuple(z.shape) if isinstance(z, torch.Tensor) else type(z).__name__
            raise ValueError(f"module should turn {len(X[:2])} points into an array (2, n_components); got {got}.")
        self._point_shape, self._own_precision = shape, self._any_shape
        return module.train()

    def _network(self, shape):
        """Hook: a new network for points of this shape."""
        raise NotImplementedError

    def _initialize(self, module, rows):
        """Hook: set the weights from the data."""

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

    def _seed(self):
        if isinstance(self.random_state, np.random.RandomState):
            return int(self.random_state.randint(2**31 - 1))
        return int(np.random.default_rng(self.random_state).integers(2**31 - 1))

    def _decay(self):
        automatic = 1.0 if self.optimizer == "adamw" else 1e-4
        return automatic if self.weight_decay == "auto" else self.weight_decay

    def _device(self):
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"device={self.device!r} is not to be had: {error}") from None
        return self.device

    def _embed(self, X):
        """Embed an array (n, ...); networks of ours in X's precision, others in their own."""
        precision = np.float32 if self._own_precision else X.dtype
        device, dtype = self._device(), torch.float64 if precision == np.float64 else torch.float32
        module = self.module_
        if device != "cpu" or dtype != torch.float32:
            module = copy.deepcopy(module).to(device, dtype)
        with torch.inference_mode(), self._threads():
            parts = [module(tensor_of(part, dtype).to(device)).cpu() for (part,) in chunks(X)]
        return torch.cat(parts).numpy().astype(X.dtype, copy=False)

    def _threads(self):
        return contextlib.nullcontext() if self._any_shape else one_torch_thread

    def _shape(self):
        return self._point_shape

    def _frozen(self):
        return as_numpy(self.module_)

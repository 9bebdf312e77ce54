"""What one of two processes finds out, for `tests/deep/test_processes.py`, which starts both.

It writes a file with what it found, by the name of each function below, in JSON.
"""

import hashlib
import io
import json
import os
import sys
from contextlib import redirect_stderr
from unittest.mock import patch

import numpy as np
import torch
import torch.distributed as dist
from deep_learners import VARIANTS, data, learner, points_of
from discovery import tiny_points
from ended_fits import Ending
from scipy.sparse import csr_array
from skorch.callbacks import Callback
from torch import nn

from metricnets import DDML, EmbeddingNet, _tables, losses
from metricnets.datasets import Batches
from metricnets.deep._training import blocks, same_call
from metricnets.deep._training.distributed import Processes
from metricnets.deep._training.process_group import processes

RANK = int(os.environ.get("RANK", 0))
WITHOUT_DROPOUT = {"dropout": 0.0, "input_dropout": 0.0}


def net(**params):
    few = {"hidden": (8,), "n_components": 3, "max_epochs": 3, "batch_size": 21, "random_state": 0, "distributed": True}
    return EmbeddingNet(**few | WITHOUT_DROPOUT | params)


def digest(estimator):
    """A number of the weights, to the last bit."""
    tensors = [*estimator.module_.state_dict().values()]
    return hashlib.sha256(b"".join(each.numpy().tobytes() for each in tensors)).hexdigest()


class Steps(Callback):
    """The gradients of each step."""

    def __init__(self):
        self.gradients = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.gradients.append([parameter.grad.clone() for _, parameter in named_parameters])


class InEpoch(Callback):
    """Do something in one process at the end of the second epoch."""

    def __init__(self, rank, action):
        self.rank, self.action = rank, action

    def on_epoch_end(self, net, **kwargs):
        if self.rank == RANK and len(net.history) == 2:
            self.action()


SHARES, anchors = [], Processes.anchors


def noted(processes, n):
    """The anchors of a process, which are noted."""
    SHARES.append(anchors(processes, n))
    return SHARES[-1]


def raised(error):
    raise error


def gradients(name, **params):
    """The gradients of the first step, and the loss of the first epoch."""
    steps = Steps()
    few = {"loss": name, "init": "glorot", "optimizer": "sgd", "max_epochs": 1, "callbacks": [steps]}
    fitted = net(**few | params).fit(*tiny_points())
    return [*steps.gradients[0], torch.tensor(fitted.history_[0]["train_loss"])]


def losses_of_the_catalogue():
    """The largest difference of a gradient from that of one process, relative to its norm, in the first step.

    Each process computes the loss of all pairs of 21 rows, or that of its 10 or 11 of them, in one block or in several.
    """
    found, ways = {}, {"whole": (1000, 1000), "shared": (0, 1000), "in blocks": (0, 21 * 4)}
    with processes():  # one group for all, as joining takes longer than tiny fits
        for name, entry in losses.CATALOGUE.items():
            alone, found[name] = gradients(name, distributed=False), {}
            for way, (shared, n_pairs) in ways.items():
                if way == "whole" or entry.of_anchors:
                    with (
                        patch.multiple(blocks, SHARED=shared, PAIRS=n_pairs),
                        patch.object(Processes, "anchors", noted),
                    ):
                        SHARES.clear()
                        pairs = zip(alone, gradients(name), strict=True)
                        found[name][way] = max(float((a - b).norm() / a.norm().clamp_min(1e-12)) for a, b in pairs)
                    assert bool(SHARES) == (way != "whole"), (name, way)
    return found


LEARNERS = {
    "DDML": {},
    "DDMLPairs with jitter": {},
    "HRAML": {},
    "MMDML": {},
    "DTML": {"beta": 0.0},
    "DNLML_ISA_Supervised": {},
    "TripletsNet": {},
    "SupervisedDeepHashing": {},
    "MultiTaskNet": {},
    "MultiViewNet": {},
    "DCML": {},
    "EmbeddingNet of images": {},
    "EmbeddingNet": {"loss": "proxy_anchor", "n_networks": 2},
    "TwoViewNet": {"early_stopping": True},
    "DDML, sparse rows": {"early_stopping": True, "n_networks": 2},
    "EmbeddingNet, batches of rows": {},
    "EmbeddingNet, wrong labels": {"label_noise": "small_loss"},
    "EmbeddingNet, few labels": {"unlabeled": "self_training"},
}
DATA = {
    "sparse rows": lambda X, y: (csr_array(X), y),
    "batches of rows": lambda X, y: (Batches([X[:20], X[20:]]), y),
    "few labels": lambda X, y: (X, np.where(np.arange(len(y)) % 3, y, -1)),
}


def learners():
    """For each the largest difference of a distance from that of one process, of the losses, and the weights."""
    found = {}
    for case, params in LEARNERS.items():
        name, _, kind = case.partition(", ")
        given = DATA.get(kind, lambda *given: given)(*data(name))
        if "dropout" in learner(name).get_params() and "module" not in VARIANTS[name][0]:
            params = params | WITHOUT_DROPOUT
        one, two = (learner(name, distributed=d, **params).fit(*given) for d in (False, True))
        X = points_of(given[0], name)
        d_one, d_two = (torch.pdist(torch.tensor(each.transform(X), dtype=torch.float64)) for each in (one, two))
        losses = [[epoch["train_loss"] for epoch in each.history_] for each in (one, two)]
        found[case] = {
            "distances": float((d_one - d_two).abs().max() / d_one.max()),
            "losses": float(np.abs(np.subtract(*losses)).max()),
            "weights": digest(two),
        }
    return found


class Noisy(nn.Module):
    """A network with weights of its own, batch normalisation and dropout, which keeps its last mask."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
        self.masks = []

    def forward(self, x):
        z = self.layers(x)
        if self.training:
            self.masks.append(nn.functional.dropout(torch.ones(len(z), 3)).tolist())
        return z


def of_everyone(value):
    values = [None, None]
    dist.all_gather_object(values, value)
    return values


def early_stopping():
    """Numbers of epochs in one process and in two, and the weights."""
    params = {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 40, "lr": 0.05}
    one, two = (net(distributed=d, **params).fit(*tiny_points()) for d in (False, True))
    return [len(one.history_), len(two.history_), digest(two)]


def options_of_a_fit():
    """The weights with each of these options, which each process may have chosen or drawn otherwise by itself."""
    torch.manual_seed(RANK)  # the module of the user is another one in each process
    module = Noisy()
    options = {
        "memory": {"memory": 30},
        "draws": {"dropout": 0.3, "input_dropout": 0.3, "random_state": None, "miner": "distance_weighted"},
        "a module": {"module": module, "hidden": (128,), "n_components": 64, "dropout": 0.2, "input_dropout": 0.3},
        "a closure": {"optimizer": torch.optim.LBFGS, "lr": 0.1},
    }
    return {name: digest(net(**params).fit(*tiny_points())) for name, params in options.items()}


def masks_differ():
    """Whether a module drew other masks in the other process."""
    drawn = []

    class Drawing(Noisy):
        def forward(self, x):
            z = super().forward(x)
            drawn.append(self.masks[-1:])
            return z

    of_network = {"module": Drawing, "hidden": (128,), "n_components": 64, "dropout": 0.2, "input_dropout": 0.3}
    net(**of_network).fit(*tiny_points())
    first, second = of_everyone(drawn[-1])
    return first != second


def memory_as_in_one_process():
    """The largest difference of a loss from that of one process, with past batches."""
    one, two = (net(memory=30, distributed=d).fit(*tiny_points()).history_ for d in (False, True))
    return max(abs(a["train_loss"] - b["train_loss"]) for a, b in zip(one, two, strict=True))


def table_read_in_batches():
    """The largest difference of a loss from that of one process, of rows that are too many to be kept in memory."""
    with patch.object(_tables, "LARGEST", 100):
        one, two = (net(distributed=d).fit(*tiny_points()).history_ for d in (False, True))
    return max(abs(a["train_loss"] - b["train_loss"]) for a, b in zip(one, two, strict=True))


def one_process_stops():
    """Epochs and weights if a callback stops one of the processes after the second epoch."""
    stopped = net(max_epochs=9, callbacks=[InEpoch(1, lambda: raised(KeyboardInterrupt))])
    return error_of(stopped)


def stopping_callback():
    """Epochs and weights if skorch's own callback stops the first process after the second epoch."""
    from skorch.callbacks import EarlyStopping

    callbacks = [EarlyStopping(monitor="train_loss", patience=2, threshold=10.0)] if RANK == 0 else []
    fitted = net(max_epochs=9, callbacks=callbacks).fit(*tiny_points())
    return [len(fitted.history_), digest(fitted)]


def error_of(estimator, X=None, y=None):
    """The error of a fit."""
    points, classes = tiny_points()
    try:
        estimator.fit(points if X is None else X, classes if y is None else y)
    except (Exception, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"


def other_calls():
    """The errors if process 1 calls a fit with something else."""
    X, y = tiny_points()
    one, n = RANK == 1, 45 - RANK
    large, other_labels = np.zeros((2 * same_call.WHOLE, 1)) + one, np.where(X[:, 0] < X[:, 0].max(), y, one)
    other_class = DDML(distributed=True) if one else net()
    many, labels = np.random.default_rng(0).normal(size=(600, 64)), np.arange(600) % 3
    changed, swapped = many.copy(), np.r_[:300, 301, 300, 302:600]
    changed[500, 30] += one / 2
    return {
        "X is an array of shape (45, 4) in process 0 and an array of shape (44, 4)": error_of(net(), X[:n], y[:n]),
        "X is an array of shape (45, 4), with other values": error_of(net(), X + one * 1e-3, y),
        "X is an array of shape (45, 4), with other values ": error_of(net(), X[:: 1 - 2 * one], y),
        "X is an array of shape (45, 4), with other values  ": error_of(net(), np.where(one & (X > 3), np.nan, X), y),
        "X is an array of shape (600, 64), with other values": error_of(net(), changed, labels),
        "X is an array of shape (600, 64), with other values ": error_of(net(), many[swapped] if one else many, labels),
        "X is an array of shape (8388608, 1), with other values": error_of(net(), large, large[:, 0]),
        "X is a sparse matrix of shape (45, 4), with other values": error_of(net(), csr_array(X * (1 + one)), y),
        "X is a Batches of shape (45, 4), with other values": error_of(net(), Batches([X[:20], X[20:] - one]), y),
        "y is an array of shape (45,), with other values": error_of(net(), X, other_labels),
        "y is an array of shape (45,), with other values ": error_of(net(), X, y.astype(str) if one else y),
        "lr is 0.1 in process 0 and 0.2": error_of(net(lr=0.1 + 0.1 * one)),
        "hidden is (8,) in process 0 and (9,)": error_of(net(hidden=(8 + one,))),
        "loss_params is a dict, with other values": error_of(net(loss_params={"margin": 1.0 + one})),
        "checkpoint is a folder in process 0 and None": error_of(net(checkpoint=None if one else "folder")),
        "the method is EmbeddingNet.fit in process 0 and DDML.fit": error_of(other_class),
        "checkpoint is None in process 0 and a folder": error_of(net(checkpoint="unused" if one else None)),
    }


def an_error_in_one():
    """The error in each process if one raises an error, and the epochs of a fit after it."""
    failing = net(max_epochs=9, callbacks=[InEpoch(1, lambda: raised(OSError("the disk is full")))])
    return [error_of(failing), len(net().fit(*tiny_points()).history_)]


def an_error_before_training():
    """The errors in each process if one has another device, and if it raises an error when it builds its network."""

    def build(shape):
        return raised(OSError("no memory")) if RANK else nn.Linear(*shape, 3)

    failing = net(module=build, hidden=(128,), n_components=64, dropout=0.2, input_dropout=0.3)
    return [error_of(net(device="nowhere" if RANK else "cpu")), error_of(failing)]


RECORDED = {
    "dropout": ({"dropout": 0.3}, 2),
    "two networks": ({"dropout": 0.3, "n_networks": 2, "memory": 30, "miner": "distance_weighted"}, 5),
    "early stopping": ({"dropout": 0.3, "early_stopping": True, "n_iter_no_change": 2, "max_epochs": 9, "lr": 0.1}, 2),
    "a module": ({"module": Noisy, "hidden": (128,), "n_components": 64, "dropout": 0.2, "input_dropout": 0.3}, 2),
}


def recorded(folder):
    """Of fits that one of the processes ends: errors, epochs of the same call afterwards, weights, and files."""
    found = {}
    for name, (params, n_epochs) in RECORDED.items():
        options = {"folder": f"{folder}/{RANK}", "minutes": 0}  # process 0 has the files
        ending, rest = Ending(n_epochs if RANK else np.inf), Ending()
        error = error_of(net(checkpoint=options, callbacks=[ending], **params))
        again = net(checkpoint=options, callbacks=[rest], **params).fit(*tiny_points())
        whole = net(**params).fit(*tiny_points())
        modules = [each.module_.modules() for each in (again, whole)]
        masks = [[each.masks for each in parts if hasattr(each, "masks")] for parts in modules]
        n_more = [rest.n_begun, len(whole.history_) - n_epochs]
        found[name] = [error, n_more, digest(again), digest(whole), masks, os.path.exists(options["folder"])]
    return found


def progress():
    """What a fit shows."""
    with redirect_stderr(io.StringIO()) as shown:
        net(verbose=1).fit(*tiny_points())
    return len(shown.getvalue())


def killed(folder):
    """The error if the other process is killed in the third epoch."""
    options = {"folder": f"{folder}/killed", "minutes": 0}
    return error_of(net(checkpoint=options, callbacks=[Ending(2 if RANK else np.inf, kill=True)]))


QUESTIONS = [
    losses_of_the_catalogue,
    learners,
    early_stopping,
    options_of_a_fit,
    masks_differ,
    memory_as_in_one_process,
    table_read_in_batches,
    stopping_callback,
    one_process_stops,
    other_calls,
    an_error_in_one,
    an_error_before_training,
    recorded,
    progress,
    killed,
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    blocks.SHARED = 0  # processes share the pairs of small batches too
    os.fsync = lambda number: None  # the disk is slow
    found = {}
    for question in QUESTIONS:
        takes_folder = question in (recorded, killed)
        found[question.__name__] = question(os.path.dirname(sys.argv[1])) if takes_folder else question()
        with open(sys.argv[1], "w") as file:
            json.dump(found, file)

"""A silent fit leaves nothing behind: no thread, no open file, no process, no setting of the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

from discovery import ESTIMATORS

import metricnets

# In a new process, as those of other tests may have left what is looked for.
SCRIPT = """
import sys
sys.path[:0] = sys.argv[1:]

import gc, json, locale, logging, multiprocessing, os, pathlib, signal, tempfile, threading, warnings

import numpy as np
import sklearn.neighbors  # loads its OpenMP
from discovery import ESTIMATORS, HAS_TORCH, quick, training_data
from threadpoolctl import threadpool_info

try:
    import faiss  # loads its BLAS, and makes a logger
except ImportError:
    pass


def listed(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def targets(folder):
    names = (os.path.join(folder, name) for name in listed(folder))
    return sorted(os.readlink(name) for name in names if os.path.islink(name) and os.path.exists(name))


def settings_of_torch():
    if "torch" not in sys.modules:
        return None
    torch = sys.modules["torch"]
    return [
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled(),
        torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_rng_state().tolist(),
    ]


def state():
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "open files": targets("/proc/self/fd"),
        "processes": [str(child) for child in multiprocessing.active_children()]
        + [child for path in pathlib.Path("/proc/self/task").glob("*/children") for child in path.read_text().split()],
        "temporary files": listed(tempfile.gettempdir()),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "filters of warnings": [str(entry) for entry in warnings.filters],
        "show of warnings": repr(warnings.showwarning),
        "logging": [logging.root.level, logging.root.manager.disable, *map(repr, logging.root.handlers)],
        "loggers": {
            name: [logger.level, logger.disabled, logger.propagate, *map(repr, logger.handlers)]
            for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger)
        },
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)],
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.gettrace()), repr(sys.stdout)],
        "locale": locale.setlocale(locale.LC_ALL),
        "errors of NumPy": [np.geterr(), repr(np.get_printoptions())],
        "NumPy's random state": np.random.get_state()[1].tolist(),
        "numerical threads": [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()],
        "PyTorch": settings_of_torch(),
    }


if HAS_TORCH:  # its optimisers import its compiler at their first step, with loggers, filters and a folder
    import torch

    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.sum().backward()
    torch.optim.AdamW([parameter]).step()
warnings.simplefilter("ignore")
changed = {}
for name in ESTIMATORS:
    before = state()
    quick(name).fit(*training_data(name))
    after = state()
    changed[name] = [what for what in before if before[what] != after[what]]
n_objects = []
for seed in range(3):
    for name in ESTIMATORS.keys() & {"LDA", "ITML", "NCA", "DDML", "DDMLPairs", "TripletsNet"}:
        given = {"random_state": seed, "checkpoint": os.path.join(tempfile.gettempdir(), "checkpoints")}
        known = given.keys() & set(ESTIMATORS[name]._get_param_names())
        quick(name, **{key: given[key] for key in known}).fit(*training_data(name))
    gc.collect()
    n_objects.append(len(gc.get_objects()))
print(json.dumps([changed, n_objects]))
"""


def test_a_silent_fit_leaves_nothing_behind(tmp_path):
    places = map(str, [Path(metricnets.__file__).parents[1], Path(__file__).parent])
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", SCRIPT, *places], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert run.stdout.count("\n") == 1  # nothing else was printed
    changed, n_objects = json.loads(run.stdout)
    assert changed == {name: [] for name in ESTIMATORS}  # what differs after a fit, of each learner
    assert n_objects[2] <= n_objects[1]  # more fits, with other seeds, keep no more objects of Python

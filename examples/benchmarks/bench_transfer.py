"""Transfer between domains with DTML: Office-Caltech SURF and MNIST/USPS.

1-nearest-neighbour is trained on the labelled source and scored on the whole target, on raw points
and on those embedded by DTML at its defaults, which saw the target without labels.  SURF rows are
divided by their sum, then standardised in each domain; rows of MNIST/USPS have unit norm.

Run ``python bench_transfer.py --data DIR``, or set METRICNETS_DATA.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import joblib
import numpy as np
from sklearn.preprocessing import normalize, scale
from tqdm.auto import tqdm

from metricnets import DTML, SourceOnly

FILES = {"SURF": "office_caltech10_surf.npz", "digits": "mnist_usps_da.npz"}
BARS = {"mean of the 12 SURF tasks": 44.8, "MNIST→USPS": 65.9, "USPS→MNIST": 55.3}
QUICK = ("webcam→dslr", "dslr→amazon", "MNIST→USPS")


def surf(X, domain):
    X = X / X.sum(axis=1, keepdims=True)
    for name in np.unique(domain):
        X[domain == name] = scale(X[domain == name])
    return X


def read(folder):
    """Tasks of the files in ``folder``, by name: (X, y, sample_domain)."""
    tasks = {}
    for kind, file in FILES.items():
        path = folder / file
        if not path.is_file():
            print(f"{path} is not there: the {kind} tasks are left out.", file=sys.stderr)
            continue
        with np.load(path) as table:
            X, y, domain, names = (table[key] for key in ("X", "y", "domain", "domain_names"))
        X = surf(X.astype(float), domain) if kind == "SURF" else normalize(X.astype(float))
        for s, source in enumerate(names):
            for t, target in enumerate(names):
                if s != t:
                    rows = np.r_[np.flatnonzero(domain == s), np.flatnonzero(domain == t)]
                    tasks[f"{source}→{target}"] = X[rows], y[rows], np.where(domain[rows] == s, 1, -1)
    return tasks


def accuracy(Z, y, sample_domain):
    """Per cent of target rows that 1-nearest-neighbour, trained on the source, gets right."""
    target = sample_domain < 0
    return 100 * SourceOnly().fit(Z, y, sample_domain=sample_domain).score(Z[target], y[target])


def adapt(name, X, y, sample_domain, seed):
    masked = np.where(sample_domain < 0, -1, y)
    start = time.perf_counter()
    Z = DTML(random_state=seed).fit(X, masked, sample_domain=sample_domain).transform(X)
    seconds = time.perf_counter() - start
    return name, accuracy(Z, y, sample_domain), seconds


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("METRICNETS_DATA"), help="folder of the files")
    parser.add_argument("--quick", action="store_true", help="three tasks, one seed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    return parser.parse_args()


def main():
    options = arguments()
    if options.data is None:
        print(f"Nothing was measured: give --data DIR or METRICNETS_DATA, with {' and '.join(FILES.values())}.")
        return
    tasks = read(Path(options.data))
    if not tasks:
        sys.exit(f"nothing to do: {options.data} has none of the files.")
    if options.quick:
        tasks = {name: tasks[name] for name in QUICK if name in tasks}
    seeds = range(1 if options.quick else options.seeds)
    jobs = [joblib.delayed(adapt)(name, *task, seed) for name, task in tasks.items() for seed in seeds]
    done = joblib.Parallel(n_jobs=options.jobs, return_as="generator")(jobs)
    done = list(tqdm(done, total=len(jobs), unit="fit"))

    print(f"{'task':28s} {'1-NN':>6s} {'DTML':>14s} {'seconds':>8s}")
    raw, ours = {}, {}
    for name, task in tasks.items():
        raw[name], ours[name] = accuracy(*task), np.array([found for task, found, _ in done if task == name])
        seconds = np.mean([seconds for task, _, seconds in done if task == name])
        print(f"{name:28s} {raw[name]:6.2f} {ours[name].mean():7.2f} ± {ours[name].std():4.2f} {seconds:8.1f}")
    in_surf = [name for name in tasks if "MNIST" not in name]
    if len(in_surf) == 12:
        name = "mean of the 12 SURF tasks"
        raw[name], ours[name] = np.mean([raw[n] for n in in_surf]), np.mean([ours[n] for n in in_surf], axis=0)
        print(f"{name:28s} {raw[name]:6.2f} {ours[name].mean():7.2f} ± {ours[name].std():4.2f}")
    for name, bar in BARS.items():
        if name in ours:
            verdict = "above" if ours[name].mean() > bar else "NOT above"
            print(f"{name}: {ours[name].mean():.2f}, {verdict} the bar of {bar}")


if __name__ == "__main__":
    main()

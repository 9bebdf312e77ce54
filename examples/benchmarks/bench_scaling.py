"""Scaling of fit time and memory of the linear learners with the number of samples n and of features d.

Iterative learners do at most ``--iterations`` iterations, so that all sizes have the same number of them.  Each fit
runs in a process of its own, with one thread.  The table has CPU seconds and the MB that ``fit`` adds to the peak; the
last columns are the slopes between the last two sizes on logarithmic axes: 1 is linear, 2 is quadratic.  The figure is
figures/scaling.png.
"""

import argparse
from pathlib import Path

import numpy as np
from bench_linear import measured

LEARNERS = [
    "Covariance",
    "RCA_Supervised",
    "LFDA",
    "LDA",
    "NCA",
    "MLKR",
    "LMNN",
    "ITML_Supervised",
    "SDML_Supervised",
    "LSML_Supervised",
    "MMC_Supervised",
    "SCML_Supervised",
    "GMML_Supervised",
    "LDML_Supervised",
    "DMLEig_Supervised",
    "DoubletSVM_Supervised",
]
STEPWISE = ("NCA", "MLKR", "LMNN", "ITML", "LSML", "MMC", "SCML", "LDML", "DMLEig")  # these iterate
ROWS = [f"made {n} x 50" for n in (1000, 3000, 10_000, 50_000)]
COLUMNS = [f"made 2000 x {d}" for d in (10, 30, 100, 300, 1000)]


def sizes(data):
    """The number that differs among the sets."""
    numbers = np.array([[int(name.split()[1]), int(name.split()[3])] for name in data])
    return numbers[:, np.ptp(numbers, axis=0) > 0].ravel()


def slope(x, values):
    known = np.isfinite(values)
    if known.sum() < 2:
        return np.nan
    (x0, x1), (v0, v1) = np.log(x[known][-2:]), np.log(np.maximum(values[known][-2:], 1e-3))
    return (v1 - v0) / (x1 - x0)


def table(data, options):
    """Measure and print; returns seconds of each learner."""
    x, seconds = sizes(data), {}
    print(
        f"\n{data[0]} to {data[-1]}: CPU seconds and added MB\n{'':22s}" + "".join(f"{n:>18d}" for n in x) + "   slopes"
    )
    for learner in options.only:
        rows = []
        for name in data:
            settings = {"max_iter": options.iterations} if learner.startswith(STEPWISE) else {}
            figures = measured(learner, name, repeats=1, settings=settings, timeout=options.timeout)
            rows.append((figures.get("seconds", np.nan), figures.get("MB", np.nan)))
        seconds[learner], memory = np.array(rows).T
        over = f"over {options.timeout:.0f} s"
        cells = "".join(f"{s:8.2f} s {m:5.0f} MB" if s < np.inf else f"{over:>18s}" for s, m in rows)
        print(f"{learner:22s}{cells}   {slope(x, seconds[learner]):4.1f} {slope(x, memory):4.1f}", flush=True)
    return x, seconds


def draw(panels):
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(13, 6), sharey=True, layout="constrained")
    for axis, (label, (x, seconds)) in zip(axes, panels.items()):
        for k, (learner, values) in enumerate(seconds.items()):
            axis.loglog(x, values, marker="o", color=f"C{k % 10}", ls=("-", "--")[k // 10], label=learner)
        axis.set(xlabel=label, ylabel="CPU seconds of fit")
        axis.grid(alpha=0.3)
    axes[-1].legend(bbox_to_anchor=(1, 1), loc="upper left")
    Path("figures").mkdir(exist_ok=True)
    figure.savefig("figures/scaling.png", dpi=120)
    print("Picture: figures/scaling.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smaller sizes only")
    parser.add_argument("--iterations", type=int, default=10, help="of iterative learners (default: 10)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for a fit (default: 300)")
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=LEARNERS, metavar="LEARNER")
    options = parser.parse_args()
    few = 2 if options.quick else None
    draw({"rows, 50 features": table(ROWS[:few], options), "features, 2000 rows": table(COLUMNS[:few], options)})

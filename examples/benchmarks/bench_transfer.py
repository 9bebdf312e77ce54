"""Transfer between domains: DTML and linear learners, on Office-Caltech SURF and MNIST/USPS.

1-nearest-neighbour is trained on the labelled source and scored on the whole target, on raw points and on points
embedded by each learner with its defaults; DDML and HRAML start from random weights, as in ``_settings.py``.  DTML is
fitted to the target without labels too, the other learners to the source alone; "DTML, jda" is its setting for image
descriptors.  SURF samples are divided by their sum, then standardised in each domain; samples of MNIST/USPS have unit
norm.  Linear learners get the first 50 principal components of the source.

Run ``python bench_transfer.py --data DIR``, or set METRICNETS_DATA.
"""

import sys
import warnings

import joblib
import numpy as np
from _options import folder_of, parser_of
from _settings import FROM_RANDOM
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize, scale
from tqdm.auto import tqdm

import metricnets
from metricnets import DDML, DTML, HRAML, NCA
from metricnets.protocols import transfer

FILES = {"SURF": "office_caltech10_surf.npz", "digits": "mnist_usps_da.npz"}
BARS = {"mean of the 12 SURF tasks": 51.1, "MNIST→USPS": 80.4, "USPS→MNIST": 69.3}
QUICK = ("webcam→dslr", "dslr→amazon", "MNIST→USPS")
LINEAR = ["Covariance", "LDA", "LFDA", "LMNN", "RAML"]
LINEAR += [f"{name}_Supervised" for name in ("RCA", "ITML", "SDML", "LSML", "MMC", "SCML", "GMML", "LDML", "DMLEig")]


def linear(name):
    return lambda seed: make_pipeline(PCA(50, random_state=0), seeded(getattr(metricnets, name)(), seed))


def seeded(learner, seed):
    return learner.set_params(random_state=seed) if "random_state" in learner.get_params() else learner


LEARNERS = {"raw": lambda seed: None, "DTML": lambda seed: DTML(random_state=seed)}
LEARNERS["DTML, jda"] = lambda seed: DTML(init="jda", n_rounds=5, pseudo_labels="clusters", random_state=seed)
LEARNERS["DDML"] = lambda seed: DDML(random_state=seed, **FROM_RANDOM["DDML"])
LEARNERS["HRAML"] = lambda seed: HRAML(random_state=seed, **FROM_RANDOM["HRAML"])
LEARNERS |= {name: linear(name) for name in LINEAR}
LEARNERS["NCA"] = lambda seed: make_pipeline(PCA(50, random_state=0), NCA(max_iter=30, random_state=seed))
LEARNERS["NCA of scikit-learn"] = lambda seed: make_pipeline(
    PCA(50, random_state=0), NeighborhoodComponentsAnalysis(max_iter=30, random_state=seed)
)
SEEDS = {"DTML", "DTML, jda", "DDML", "HRAML"}  # what is worth more than one


def surf(X, domain):
    X = X / X.sum(axis=1, keepdims=True)
    for name in np.unique(domain):
        X[domain == name] = scale(X[domain == name])
    return X


def read(folder):
    """Tasks of the files in ``folder``, by name: (X, y, domain, source, target)."""
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
            tasks |= {f"{source}→{target}": (X, y, domain, s, t) for t, target in enumerate(names) if s != t}
    return tasks


def accuracy(learner, task, seed):
    """Per cent of target rows that 1-nearest-neighbour, trained on the source, gets right."""
    X, y, domain, source, target = task
    warnings.simplefilter("ignore", ConvergenceWarning)
    return 100 * transfer(LEARNERS[learner](seed), X, y, domain, tasks=[(source, target)])["test_accuracy"][0]


def arguments():
    quick = "three tasks, one seed, raw and DTML only"
    parser = parser_of(__doc__, quick=quick, seeds="of DTML, DDML and HRAML", n_seeds=5)
    parser.add_argument("--only", nargs="+", choices=LEARNERS, metavar="LEARNER")
    return parser.parse_args()


def main():
    options = arguments()
    folder = folder_of(options, FILES.values())
    if folder is None:
        return
    tasks = read(folder)
    if not tasks:
        sys.exit(f"nothing to do: {folder} has none of the files.")
    if options.quick:
        tasks = {name: tasks[name] for name in QUICK if name in tasks}
    learners = options.only or (["raw", "DTML"] if options.quick else list(LEARNERS))
    n_seeds = 1 if options.quick else options.seeds
    runs = [(name, task, s) for name in learners for task in tasks for s in range(n_seeds if name in SEEDS else 1)]
    jobs = [joblib.delayed(accuracy)(name, tasks[task], seed) for name, task, seed in runs]
    done = list(tqdm(joblib.Parallel(options.jobs, return_as="generator")(jobs), total=len(jobs), unit="fit"))

    in_surf = [name for name in tasks if "MNIST" not in name]
    columns = list(tasks) + (["mean of the 12 SURF tasks"] if len(in_surf) == 12 else [])
    found = {}  # learner -> column -> accuracies, by seed
    for learner in learners:
        of = {task: [a for (n, t, _), a in zip(runs, done) if (n, t) == (learner, task)] for task in tasks}
        if len(in_surf) == 12:
            of["mean of the 12 SURF tasks"] = np.mean([of[name] for name in in_surf], axis=0)
        found[learner] = of
    for column in columns:
        print(f"\n{column}")
        for learner in sorted(learners, key=lambda name: -np.mean(found[name][column])):
            values = found[learner][column]
            spread = f" ± {np.std(values):4.2f}" if len(values) > 1 else ""
            print(f"  {learner:24s} {np.mean(values):6.2f}{spread}")
    print()
    for column, bar in BARS.items():
        for name in found:
            if name.startswith("DTML") and column in found[name]:
                ours = np.mean(found[name][column])
                print(f"{column}: {name} {ours:.2f}, {'above' if ours > bar else 'NOT above'} the bar of {bar}")


if __name__ == "__main__":
    main()

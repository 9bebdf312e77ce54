"""Tables 1, 2 and 3 of the HRAML paper: classes, label sets and label distributions.

1. Classes: three nearest neighbours, stratified 10-fold cross-validation, shuffled with seed 0.
2. Label sets: ML-kNN on the published split.  The paper scales training and test part each by its own extremes, which
   uses the test part; scores with scaling by the training part are printed too.
3. Label distributions: the mean of five neighbours, 10-fold cross-validation, repeated on SJAFFE.

Hyper-parameters are chosen inside the training part from the same grid for all data sets of a table.  Table 2 also has
RAML with its defaults and the relation of the paper, as all other methods of the paper had their defaults.
``--ablation`` makes one change of HRAML at a time, on validation parts.  Run ``python bench_hraml.py --data DIR``, or
set METRICNETS_DATA; ``--resume FILE`` continues an interrupted run.
"""

import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from _ablation import run_ablation
from _options import folder_of, parser_of
from _tables import (
    DISTRIBUTION_SCORES,
    LABEL_SCORES,
    PAPER_CLASSES,
    PAPER_DISTRIBUTIONS,
    PAPER_LABELS,
    accuracy,
    better,
    cell,
    choose,
    intervals,
    metric_of,
    run,
    scores_of_rows,
    show,
    tell_choice,
    verdict,
)
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.model_selection import KFold, ParameterGrid, ShuffleSplit, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from metricnets import AAKNN, MLKNN
from metricnets.metrics import distribution_scores, multilabel_scores
from metricnets.protocols import multilabel_split
from metricnets.protocols._multilabel import scaled

SETS = {  # table -> set: file, what it is
    1: {
        "uspst": ("uspst.npz", "the paper's own"),
        "binaryalphadigs": ("binaryalphadigs.npz", "the paper's own (binalpha)"),
        "news": ("news20_rec4_w1000.npz", "3965 texts, tf-idf of 1000 words, for news20 with 8014"),
        "MNIST": ("mnist.npz", "3495 rows drawn by class with seed 0, for MnistDat"),
        "caltech": ("caltech101_silhouettes28.npz", "8671 silhouettes of 28 x 28, for caltech101 of 256 features"),
    },
    2: {
        "emotions": ("mulan_emotions.npz", "the paper's own"),
        "flags": ("mulan_flags.npz", "the paper's own"),
        "corel5k": ("mulan_corel5k.npz", "rows of unit norm, for corel800, and compared with itself"),
    },
    3: {
        "SJAFFE": ("ldl_SJAFFE.npz", "for Natural_Scene"),
        "emotion6": ("ldl_emotion6.npz", "for Natural_Scene"),
        "Yeast_spoem": ("ldl_Yeast_spoem.npz", "for Natural_Scene"),
    },
}
RAML = {"alpha": [0.01, 0.1, 1.0]}
GRIDS = {  # table -> learner -> candidates
    1: {
        "HRAML": [
            {"dropout": [0.5], "input_dropout": [0.5], "max_epochs": [30, 100], "skip": [0, 1]},
            {"dropout": [0.0], "input_dropout": [0.0], "max_epochs": [30, 100], "skip": [0, 1]},
        ]
    },
    2: {
        "HRAML": {"relation": ["jaccard", "hamming"], "input_dropout": [0.0, 0.5], "scale": [1.5, 3.0]},
        "RAML-KRR": RAML | {"relation": ["l1", "jaccard"], "n_neighbors": [2, 5]},
        "RAML-SVR": RAML | {"relation": ["l1", "jaccard"], "n_neighbors": [2, 5]},
    },
    3: {
        "HRAML": {"skip": [0, 1, 4], "scale": [1.5, 3.0]},
        "RAML-KRR": RAML,
        "RAML-SVR": RAML,
    },
}
NETWORKS = {1: 3, 2: 5, 3: 5}  # of HRAML, side by side
LARGE = {"corel5k", "emotion6", "Yeast_spoem"}  # three networks there too
ONCE = {"news", "MNIST", "caltech"}  # the choice of the first fold's training part serves all
FIXED = {  # of HRAML
    1: {},
    2: {"skip": 1, "dropout": 0.5, "max_epochs": 100},
    3: {"dropout": 0.5, "relation": "overlap"},
}
LINEAR = ["Covariance", "LDA", "LFDA", "RCA_Supervised", "ITML_Supervised", "LSML_Supervised", "MMC_Supervised"]
LINEAR += ["SDML_Supervised", "SCML_Supervised", "GMML_Supervised", "LDML_Supervised", "DMLEig_Supervised", "LMNN"]
LINEAR += ["NCA", "MLKR", "RAML-KRR", "DoubletSVM_Supervised", "RAML-SVR", "NCA of scikit-learn"]
WHOLE, UNTUNED = " on all features", ", l1, untuned"  # ends of the names of rows
BARS = {"uspst": 0.9537, "binaryalphadigs": 0.7243, "news": 0.9436}
QUICK = {"uspst", "emotions", "flags", "SJAFFE"}


def read(folder, table, name):
    with np.load(Path(folder) / SETS[table][name][0]) as file:
        return {key: file[key] for key in file}


def settings(table, name, learner, quick):
    """Candidates for the parameters of a learner."""
    if learner.endswith(UNTUNED):
        return [{"relation": "l1"}]
    candidates = list(ParameterGrid(GRIDS[table].get(learner, {})))[: 1 if quick else None]
    if learner != "HRAML":
        return candidates
    fixed = FIXED[table] | {"n_networks": 3 if name in LARGE else NETWORKS[table]}
    if table == 3:
        fixed["max_epochs"] = 40 if name in LARGE else 150  # more like one number of steps
    return [fixed | params | ({"max_epochs": 10} if quick else {}) for params in candidates]


# Table 1 ----------------------------------------------------------------------------------------


def classes(folder, name, learner, candidates, n_folds, budget):
    """Accuracy of three neighbours in each fold; of two only, but for HRAML, if one takes longer than ``budget``."""
    data = read(folder, 1, name)
    X, y = data["X"].astype(float), data["y"]
    if name == "MNIST":
        X, _, y, _ = train_test_split(X / 255, y, train_size=3495, stratify=y, random_state=0)
    deep, base = learner in ("HRAML", "DDML"), learner.removesuffix(WHOLE)
    pca = PCA(100, random_state=0) if X.shape[1] > 256 and not deep and base == learner else "passthrough"

    def model(**params):
        return make_pipeline(pca, metric_of(base, X.shape[1], **params), KNeighborsClassifier(3))

    scores, seconds, chosen = [], [], []
    for train, test in StratifiedKFold(10, shuffle=True, random_state=0).split(X, y):
        slow = learner != "HRAML" and seconds and seconds[0] > budget
        if len(scores) >= (min(n_folds, 2) if slow else n_folds):
            break
        A, B = weighted_words(X[train], X[test]) if name == "news" else (X[train], X[test])
        if not (chosen and name in ONCE):
            A1, A2, a1, a2 = train_test_split(A, y[train], test_size=0.2, stratify=y[train], random_state=0)
            held_back = A1, a1, A2, a2
            chosen.append(choose(candidates, lambda params, parts=held_back: accuracy(model(**params), *parts)))
        begin = time.process_time()
        scores.append(accuracy(model(**chosen[-1]), A, y[train], B, y[test]))
        seconds.append(time.process_time() - begin)
    return {"scores": scores, "seconds": np.mean(seconds), "chosen": chosen}


def weighted_words(A, B):
    tfidf = TfidfTransformer(sublinear_tf=True).fit(A)
    return tfidf.transform(A).toarray(), tfidf.transform(B).toarray()


def table1(sets, options):
    learners = ["raw", "raw" + WHOLE, "HRAML", *LINEAR, "LDA" + WHOLE, "RAML-KRR" + WHOLE, "DDML"]
    learners = ["raw", "LDA", "RAML-KRR", "HRAML"] if options.quick else learners
    wide = {name: name != "uspst" for name in sets}
    cells = [(name, learner) for name in sets for learner in chosen_rows(learners, options)]
    cells = [(name, learner) for name, learner in cells if wide[name] or not learner.endswith(WHOLE)]
    n_folds = 2 if options.quick else options.folds
    jobs = [
        (classes, options.data, name, learner, settings(1, name, learner, options.quick), n_folds, options.budget)
        for name, learner in cells
    ]
    found = dict(zip(cells, run(jobs, n_jobs=options.jobs, resume=options.resume, note=note_classes)))
    found = {key: result for key, result in found.items() if "scores" in result}
    rows = {}
    for learner in chosen_rows(learners, options):
        results = [found.get((name, learner), {"scores": []})["scores"] for name in sets]
        rows[learner] = [cell(scores, "*" if len(scores) < n_folds else " ") for scores in results]
    rows["the paper, of its sets"] = None
    for learner, figures in PAPER_CLASSES.items():
        by_set = dict(zip(SETS[1], zip(figures[::2], figures[1::2])))
        rows["  " + learner] = ["{:.4f} ± {:.4f} ".format(*by_set[name]) for name in sets]
    show("Table 1, accuracy of kNN(3), mean ± std of folds; *: two folds", sets, rows)
    print("Linear learners have their defaults, NCA and MLKR 30 iterations; what has more than 256 features is")
    print("reduced to 100 by PCA for them, unless the row says otherwise.")
    for name in sets:
        if (name, "HRAML") in found:
            judge_classes(name, {learner: result for (of, learner), result in found.items() if of == name})


def note_classes(key, result):
    name, learner = key[:2]
    scores = result.get("scores", [])
    text = f"{cell(scores)}, {len(scores)} folds of {result['seconds']:.1f} CPU s" if scores else result["failed"]
    print(f"{name:16s} {learner:26s} {text}", flush=True)


def judge_classes(name, found):
    ours = np.array(found["HRAML"]["scores"])
    tell_choice(name, "HRAML", found["HRAML"]["chosen"])
    if name in BARS:
        verdict(f"{name}: HRAML {ours.mean():.4f} reaches the paper's {BARS[name]}", [ours.mean() >= BARS[name]], 1)
    gain = {}  # on the folds that both have
    for learner in found.keys() - {"HRAML", "DDML"}:
        theirs = np.array(found[learner]["scores"][: len(ours)])
        gain[learner] = ours[: len(theirs)] - theirs
    above = [gains.mean() > 0 for gains in gain.values()]
    nearest = min(gain, key=lambda learner: gain[learner].mean())
    gains = gain[nearest]
    by = f"{gains.mean():+.4f} ± {np.std(gains, ddof=1) / len(gains) ** 0.5:.4f} (standard error)"
    verdict(f"{name}: HRAML above raw and linear ones, by {by} above {nearest}", above, len(above))


# Table 2 ----------------------------------------------------------------------------------------


def labels(folder, name, learner, candidates, scaling, n_seeds):
    """Five scores for each seed, and those of each test row, their mean over seeds."""
    data = read(folder, 2, name)
    X, Y, train, test = data["X"].astype(float), data["Y"], data["train"], data["test"]
    X = normalize(X) if name == "corel5k" else X

    def model(seed, params):
        metric = None if learner == "MLKNN" else metric_of(learner.removesuffix(UNTUNED), X.shape[1], seed, **params)
        return MLKNN(metric=metric)

    def judge(params):
        found = [
            multilabel_split(model(0, params), X, Y, *split, scaling=scaling) for split in inner_splits(train, name)
        ]
        return np.mean([scores["average_precision"] for scores in found])

    params = choose(candidates, judge)
    A, B = scaled(X[train], X[test], scaling)
    predicted = [model(seed, params).fit(A, Y[train]).predict_proba(B) for seed in range(n_seeds)]
    scores = [list(multilabel_scores(Y[test], P).values()) for P in predicted]
    by_row = np.mean([scores_of_rows(Y[test], P) for P in predicted], axis=0)
    return {"scores": scores, "by_row": by_row.tolist(), "chosen": [params]}


def inner_splits(train, name):
    """Validation within the training rows: one split of the large set, 3 folds of the small ones twice."""
    folds = [KFold(3, shuffle=True, random_state=seed) for seed in range(2)]
    for splitter in [ShuffleSplit(1, test_size=0.2, random_state=0)] if name in LARGE else folds:
        for i, j in splitter.split(train):
            yield train[i], train[j]


def table2(sets, options):
    n_seeds = 1 if options.quick else options.seeds
    for name in sets:
        for scaling in [None] if name == "corel5k" else ["each", "train"]:
            learners = ["RAML-SVR", "RAML-KRR"]
            learners = chosen_rows(["MLKNN", *learners, *(of + UNTUNED for of in learners), "HRAML"], options)
            seeds = {of: n_seeds if of == "HRAML" else 1 for of in learners}
            jobs = [
                (labels, options.data, name, of, settings(2, name, of, options.quick), scaling, seeds[of])
                for of in learners
            ]
            results = run(jobs, n_jobs=options.jobs, resume=options.resume, note=note_row)
            found = {of: result for of, result in zip(learners, results) if "scores" in result}
            rows = {of: [cell(column) for column in np.transpose(result["scores"])] for of, result in found.items()}
            rows["the paper" + {"each": "", "train": ", by its own protocol", None: ", of corel800"}[scaling]] = None
            rows |= {"  " + of: [cell([v]) for v in figures] for of, figures in PAPER_LABELS[name].items()}
            protocol = {"each": "the paper's protocol", "train": "scaled by the training part", None: "unit norm"}
            title = f"Table 2, {name}, {protocol[scaling]}; HRAML: mean ± std of {n_seeds} seeds"
            show(title, LABEL_SCORES, rows)
            for of in filter(found.__contains__, GRIDS[2]):
                tell_choice(name, of, found[of]["chosen"])
            judge_labels(name, scaling, found)


def note_row(key, result):
    print(f"{key[0]:16s} {key[1]:26s} {result.get('failed') or ''} {result.get('total', 0):.0f} s", flush=True)


def judge_labels(name, scaling, found):
    mean = {of: np.mean(result["scores"], axis=0) for of, result in found.items()}
    paper = PAPER_LABELS[name]
    if "HRAML" in mean:
        wanted = 4 if name == "corel5k" else 5
        above = better(mean["HRAML"], mean["MLKNN"], LABEL_SCORES)
        verdict("HRAML above ML-kNN of the same run", above, wanted)
        if scaling == "each":
            above = [better(mean["HRAML"], paper[of], LABEL_SCORES) for of in ("HRAML", "RAML-SVR", "RAML-KRR")]
            verdict("HRAML above the paper's HRAML", above[0], 4 if name == "emotions" else 3)
            verdict("HRAML above all three of the paper's rows", np.all(above, axis=0), 5)
        bounds, differences = intervals(*(np.array(found[of]["by_row"]) for of in ("HRAML", "MLKNN")))
        rows = zip(LABEL_SCORES, mean["HRAML"], paper["HRAML"], bounds, differences)
        for score, value, own, (low, high), (least, most) in rows:
            word = "a tie" if least <= 0 <= most else "no tie"
            print(f"    {score:16s} {value:8.4f} in [{low:.4f}, {high:.4f}]", end="")
            print(f"  less ML-kNN in [{least:+.4f}, {most:+.4f}]: {word}", end="")
            print(
                ""
                if scaling != "each"
                else "; the paper's HRAML is inside"
                if low <= own <= high
                else "; the paper's HRAML is outside"
            )
    for of in mean:
        if of.startswith("RAML") and scaling == "each":
            gap = mean[of][4] - paper[of.removesuffix(UNTUNED)][4]
            verdict(f"{of} at most 0.01 of precision below the paper's ({gap:+.4f})", [gap >= -0.01], 1)


# Table 3 ----------------------------------------------------------------------------------------


def distributions(folder, name, learner, candidates, n_repeats, n_folds):
    """Six scores in each fold of each repetition, and what was chosen there."""
    data = read(folder, 3, name)
    X, Y = data["X"].astype(float), data["Y"].astype(float)
    n_inner = 1 if name in LARGE else 2
    once = name in LARGE and learner != "HRAML"  # RAML takes long there

    def predicted(params, A, B, a, seed):
        if learner.startswith("AAKNN"):
            metric = StandardScaler() if learner.endswith("standardised") else None
        else:
            metric = make_pipeline(StandardScaler(), metric_of(learner, X.shape[1], seed, **params))
        return AAKNN(metric=metric).fit(A, a).predict(B)

    def judge(params, A, a):
        splits = ShuffleSplit(n_inner, test_size=0.2, random_state=0).split(A)
        shared = [np.minimum(predicted(params, A[i], A[j], a[i], 0), a[j]).sum(axis=1).mean() for i, j in splits]
        return np.mean(shared)

    scores, chosen = [], []
    for seed in range(n_repeats):
        for train, test in list(KFold(10, shuffle=True, random_state=seed).split(X))[:n_folds]:
            A, a = X[train], Y[train]
            if not (chosen and once):
                chosen.append(choose(candidates, lambda params, A=A, a=a: judge(params, A, a)))
            found = predicted(chosen[-1], A, X[test], a, seed)
            scores.append(list(distribution_scores(Y[test], found / found.sum(axis=1, keepdims=True)).values()))
    return {"scores": scores, "chosen": chosen}


def table3(sets, options):
    for name in sets:
        learners = ["AAKNN", "AAKNN, standardised", "RAML-KRR", "RAML-SVR", "HRAML"]
        learners = chosen_rows(learners, options)
        n_repeats = {
            of: 1 if options.quick or name != "SJAFFE" else 10 if of.startswith("AAKNN") else 3 for of in learners
        }
        n_folds = 2 if options.quick else 10
        jobs = [
            (distributions, options.data, name, of, settings(3, name, of, options.quick), n_repeats[of], n_folds)
            for of in learners
        ]
        results = run(jobs, n_jobs=options.jobs, resume=options.resume, note=note_row)
        found = {of: result for of, result in zip(learners, results) if "scores" in result}
        rows = {
            f"{of} ({n_repeats[of]} x {n_folds})": [cell(column) for column in np.transpose(result["scores"])]
            for of, result in found.items()
        }
        rows["the paper, of Natural_Scene"] = None
        rows |= {"  " + of: [cell([v]) for v in figures] for of, figures in PAPER_DISTRIBUTIONS.items()}
        show(f"Table 3, {name}, mean ± std of folds (repetitions x folds)", DISTRIBUTION_SCORES, rows)
        for of, result in found.items():
            tell_choice(name, of, result["chosen"])
            if of != "HRAML" and "HRAML" in found:
                n = len(found["HRAML"]["scores"])  # the same folds
                pair = (np.mean(scores[:n], axis=0) for scores in (found["HRAML"]["scores"], result["scores"]))
                verdict(f"HRAML above {of}", better(*pair, DISTRIBUTION_SCORES), 4)


# ------------------------------------------------------------------------------------------------


def chosen_rows(learners, options):
    return [of for of in learners if not options.only or of in options.only or of in ("raw", "MLKNN")]


def arguments():
    quick = "a minute: small sets, two folds, few learners, one seed"
    parser = parser_of(__doc__, quick=quick, seeds="of HRAML in table 2", n_seeds=10)
    parser.add_argument("--table", type=int, nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sets", nargs="+", choices=[name for sets in SETS.values() for name in sets], metavar="SET")
    parser.add_argument("--only", nargs="+", default=(), metavar="ROW", help="learners, beside those without a metric")
    parser.add_argument("--ablation", action="store_true", help="change one thing in HRAML at a time, and no tables")
    parser.add_argument("--budget", type=float, default=60, help="CPU seconds of a fit beyond which two folds do")
    parser.add_argument("--folds", type=int, default=10, help="of table 1, those that are measured (default: 10)")
    parser.add_argument("--resume", type=Path, help="file that keeps finished rows, for the next run")
    return parser.parse_args()


def main():
    options = arguments()
    options.data = folder_of(options, [file for sets in SETS.values() for file, _ in sets.values()])
    if options.data is None:
        return
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the processes: that 30 iterations do not suffice, for instance
    warnings.simplefilter("ignore")
    if options.ablation:
        run_ablation(options, SETS)
        return
    for table, make in zip(SETS, (table1, table2, table3)):
        wanted = [name for name in SETS[table] if not options.sets or name in options.sets]
        wanted = [name for name in wanted if table in options.table and (not options.quick or name in QUICK)]
        for name in wanted:
            file, what = SETS[table][name]
            there = (options.data / file).is_file()
            print(f"{name}: {what}" if there else f"{options.data / file} is not there: {name} is left out.")
        wanted = [name for name in wanted if (options.data / SETS[table][name][0]).is_file()]
        if wanted:
            for of, grid in GRIDS[table].items():
                fixed = f", with {FIXED[table]}" if of == "HRAML" and FIXED[table] else ""
                print(f"grid of {of} in table {table}: {grid}{fixed}")
            make(wanted, options)
            sys.stdout.flush()


if __name__ == "__main__":
    main()

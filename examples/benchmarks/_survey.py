"""The methods of the survey, each as one call, and what is measured of them on classes, persons and pairs."""

from functools import cache, partial

import bench_reid
import bench_verification
import numpy as np
import torch
from _datasets import SETS, load
from _faces import patterns
from _unseen import halves, scores
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import ParameterGrid
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from metricnets import EmbeddingNet, Mahalanobis
from metricnets.protocols import gallery_probe

# ---- calls: all similar samples are positives, as in the papers, and parameters of the loss are those of the papers

Net = partial(EmbeddingNet, positive_fraction=1.0)
DRLIM = Net(loss="contrastive", loss_params={"margin": 1.0, "squared": True})
SHI = Mahalanobis(loss="triplet", loss_params={"margin": 0.2}, miner="moderate_positives", weight_decay=0.0)
CONSTRAINED = clone(SHI).set_params(orthogonality=0.001)
DECAYED = clone(SHI).set_params(weight_decay=30.0)
SEMI_HARD = {"margin": 0.2, "select": "semihard", "squared": True}
CLASSES = {  # name: paper, call
    "raw": ("no metric", FunctionTransformer()),
    "PCA": ("no metric", PCA(0.95)),
    "start": ("a network before training", EmbeddingNet(lr=1e-9, max_epochs=1)),
    "DrLIM": ("Hadsell et al., CVPR 2006", DRLIM),
    "DeepID2": ("Sun et al., NIPS 2014", Net(loss="deepid2", loss_params={"weight": 0.05}, normalize=False)),
    "Siamese cosine": ("Yi et al., ICPR 2014", Net(loss="binomial_deviance", loss_params={"sharpness": 2.0})),
    "triplet ratio": ("Hoffer and Ailon, SIMBAD 2015", Net(loss="triplet_ratio", normalize=False)),
    "semi-hard triplets": ("Schroff et al., CVPR 2015", Net(loss="triplet", loss_params=SEMI_HARD)),
    "lifted structure": ("Oh Song et al., CVPR 2016", Net(loss="lifted", loss_params={"margin": 1.0}, normalize=False)),
    "N-pair": ("Sohn, NIPS 2016", Net(loss="npair", n_per_class=2)),
    "nonlinear NCA": ("Salakhutdinov and Hinton, AISTATS 2007", Net(loss="neighborhood", normalize=False)),
    "MEGM": ("Zaidi et al., 2010", Net(loss="megm", normalize=False)),
    "moderate positives": ("Shi et al., ECCV 2016, without the constraint", SHI),
    "with the constraint": ("Shi et al., ECCV 2016", CONSTRAINED),
}
MARGINS = {"loss_params": [{"margin": margin} for margin in (0.1, 0.2, 0.4, 0.8)]}
PERSONS = {  # name: call, and the grid for training persons
    "raw": (None, {}),
    "start": (CLASSES["start"][1], {}),
    "DrLIM": (DRLIM, {"loss_params": [{"margin": margin, "squared": True} for margin in (0.5, 1.0, 1.25)]}),
    "linear start": (Mahalanobis(lr=1e-9, max_epochs=1), {}),
    "moderate positives": (SHI, MARGINS),
    "with the constraint": (CONSTRAINED, MARGINS | {"orthogonality": [1e-4, 1e-3, 0.01, 0.1]}),
    "with weight decay instead": (
        clone(SHI).set_params(weight_decay=30.0),
        MARGINS | {"weight_decay": [3.0, 30.0, 300.0]},
    ),
}
WEIGHTS = {"module": nn.Identity(), "normalize": False, "batch_size": 64, "max_epochs": 10}
RELU = {"init": "glorot", "activation": "relu", "activate_output": True, "max_epochs": 10}
EQUAL = WEIGHTS | {"loss_lr": 1e-9, "max_epochs": 1}
PAIRS = {  # all of Taigman et al., CVPR 2014
    "χ², equal weights": EmbeddingNet(loss="chi_square_verification", **EQUAL),
    "χ², learnt weights": EmbeddingNet(loss="chi_square_verification", **WEIGHTS),
    "χ², network ending in ReLU": EmbeddingNet(loss="chi_square_verification", **RELU),
    "L1, equal weights": EmbeddingNet(loss="l1_verification", **EQUAL),
    "L1, learnt weights": EmbeddingNet(loss="l1_verification", **WEIGHTS),
    "L1, network ending in ReLU": EmbeddingNet(loss="l1_verification", **RELU),
    "L1, default network": EmbeddingNet(loss="l1_verification", max_epochs=10),
}
OF_HISTOGRAMS = ["χ², equal weights", "χ², learnt weights"]  # or of other features that are not negative


def call(estimator):
    """What to type: the loss, and the parameters that are not the defaults."""
    defaults, params = type(estimator)().get_params(), estimator.get_params(deep=False)
    loss = {"loss": params.pop("loss")} if "loss" in params else {}
    given = loss | {key: value for key, value in params.items() if value != defaults[key]}
    return f"{type(estimator).__name__}({', '.join(f'{key}={value!r}' for key, value in given.items())})"


def seeded(estimator, seed, **params):
    """A clone with this seed; parameters that it does not have are left out."""
    estimator = clone(estimator)
    known = {"random_state": seed, **params}.items()
    return estimator.set_params(**{key: value for key, value in known if key in estimator.get_params()})


# ---- measures


def on_classes(folder, dataset, name, n_epochs, seed):
    """kNN(3) accuracy on 30 % of the samples, and MAP@R on the classes that were not seen, in per cent."""
    (X, y, split), (*seen, X_new, y_new) = load(dataset, folder, SETS), halves(dataset, folder)
    shorter = {} if name == "start" else {"max_epochs": n_epochs}
    learner = seeded(CLASSES[name][1], seed, **shorter)
    train, test = split(y, seed)
    model = make_pipeline(learner, KNeighborsClassifier(3)).fit(X[train], y[train])
    return {"scores": [100 * model.score(X[test], y[test]), scores(clone(learner), *seen, X_new, y_new)[0]]}


def on_persons(folder, name, split, n_settings):
    """Rank-1, rank-10 and rank-20 recognition of VIPeR's test persons in per cent, and what was chosen before."""
    X, y, is_probe, splits = bench_reid.read(folder)
    (learner, grid), train, chosen = PERSONS[name], np.isin(y, splits[split][0]), {}
    if learner is not None:
        learner = seeded(learner, split)
    if grid:
        grid = [{key: [value] for key, value in setting.items()} for setting in ParameterGrid(grid)][:n_settings]
        chosen = bench_reid.chosen(learner, y[train], X[train], grid)
        learner.set_params(**chosen)
    found = gallery_probe(learner, X, y, is_probe, [splits[split]], k=bench_reid.RANKS)
    return {"scores": list(100 * found["test_cmc"][0]), "chosen": str(chosen)}


@cache
def faces(kind, folder):
    """X, pairs, y, fold and group of LFW, or of KinFaceW-I with histograms of local binary patterns."""
    X, *others = bench_verification.read(folder / bench_verification.SETS[kind][0], None)
    if kind != "LFW":
        X = np.hstack(patterns(X.reshape(-1, 64, 64).astype(np.uint8))) / 64  # cells have a sum of 1
    return X.astype(np.float32), *others


def logits(learner, X, pairs, y, test_pairs):
    """Logits of pairs by a learner of classes: each similar pair to learn from is a class of two samples."""
    similar = pairs[y > 0]
    learner.fit(X[similar.ravel()], np.repeat(np.arange(len(similar)), 2))
    a, b = (torch.from_numpy(learner.transform(X[rows])) for rows in test_pairs.T)
    return learner.loss_.pair_logits(a, b).numpy()


def on_pairs(folder, kind, name, i, n_settings):
    """Accuracy with either threshold and AUC on the i-th fold, in per cent, means over groups; and what was chosen.

    The rate of the weights is chosen by the AUC on one training fold; its median logit is the held threshold.
    """
    X, pairs, y, fold, group = faces(kind, folder)
    settings = [{}] if PAIRS[name].loss_lr else list(ParameterGrid({"loss_lr": [0.03, 0.3]}))[:n_settings]
    others = np.delete(np.unique(fold), i)
    train, held = np.isin(fold, others), fold == others[-1]

    def found(setting, seen, judged):
        learner = seeded(PAIRS[name], 0, **setting)
        parts = [(seen & (group == g), judged & (group == g)) for g in np.unique(group)]
        return [(logits(learner, X, pairs[a], y[a], pairs[b]), y[b]) for a, b in parts]

    tried = [found(setting, train & ~held, held) for setting in settings]
    best = int(np.argmax([np.mean([roc_auc_score(truth, s) for s, truth in parts]) for parts in tried]))
    cuts = [np.median(s) for s, _ in tried[best]]
    judged = found(settings[best], train, ~train)
    figures = [bench_verification.figures(s, truth, 0.0, cut) for (s, truth), cut in zip(judged, cuts)]
    return {"scores": list(np.mean(figures, axis=0)), "chosen": str(settings[best])}


def cosines(folder, kind, i):
    """The same three figures of the cosine of the points, with the best threshold of the training pairs."""
    return {"scores": list(bench_verification.cosine(faces(kind, folder))[i].mean(axis=(0, 1)))}

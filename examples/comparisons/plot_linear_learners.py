"""
What linear metrics call near
=============================

A linear learner finds a matrix M, and with it the Mahalanobis distance.  Points at the same distance from a centre
lie on an ellipse.  Three classes are parallel stripes, along which the Euclidean distance, a circle, reaches other
classes sooner than the ends of the own class.
"""

import matplotlib.pyplot as plt
import numpy as np

import metricnets
from metricnets.metrics import map_at_r

rng = np.random.default_rng(1)
y = rng.permutation(np.repeat([0, 1, 2], 200))
across = 0.5 * y + rng.normal(scale=0.12, size=600)
along = rng.uniform(-4, 4, size=600)
X = np.c_[along - across, along + across] / 2**0.5
X_train, X_test, y_train, y_test = X[:200], X[200:], y[:200], y[200:]

# %%
# All of these learn from classes.  Those whose name ends in ``_Supervised`` draw pairs, triplets or quadruplets from
# them, and their other form learns from tuples that are given.

names = ["Covariance", "LDA", "LFDA", "NCA", "LMNN", "RAML", "XQDA", "Mahalanobis", "RCA_Supervised", "ITML_Supervised"]
names += ["MMC_Supervised", "SDML_Supervised", "LSML_Supervised", "SCML_Supervised", "GMML_Supervised"]
names += ["LDML_Supervised", "DMLEig_Supervised", "DoubletSVM_Supervised", "KISSME_Supervised"]

# %%
# Each ellipse encloses the twenty training samples nearest to a centre; where M has rank 1 it becomes two lines.  The
# title has MAP@R on held-out samples, which is 1 if all samples of the own class are nearer than all others.

rays = np.exp(2j * np.pi * np.linspace(0, 1, 2000)).view(float).reshape(-1, 2)
center = X_train[np.linalg.norm(X_train - X_train.mean(0), axis=1).argmin()]
colors = np.array(["#0072B2", "#E69F00", "#009E73"])

figure, axes = plt.subplots(4, 5, figsize=(12, 10), layout="constrained", sharex=True, sharey=True)
for axis, name in zip(axes.flat, [None, *names]):
    M = np.eye(2)
    if name is not None:
        cls = getattr(metricnets, name)
        options = {"random_state": 0, "n_constraints": 1000}
        learner = cls(**{key: options[key] for key in options.keys() & cls().get_params()})
        M = learner.fit(X_train, y_train).get_mahalanobis_matrix()
    root = np.linalg.cholesky(M + 1e-9 * np.trace(M) * np.eye(2))
    radius = np.sort(np.linalg.norm((X_train - center) @ root, axis=1))[20]
    ellipse = center + radius * rays / np.linalg.norm(rays @ root, axis=1, keepdims=True)
    axis.scatter(*X_train.T, s=5, c=colors[y_train])
    axis.plot(*ellipse.T, color="black", lw=2)
    title = "Euclidean" if name is None else name.removesuffix("_Supervised")
    axis.set_title(f"{title}: {map_at_r(X_test @ root, y_test):.2f}")
    axis.set(xticks=[], yticks=[], xlim=(-3.7, 2.9), ylim=(-2.8, 3.8))
    axis.set_aspect("equal")

# %%
# The longer the ellipse along the stripes, the higher the score.  LFDA is the exception by design: it takes the
# distant parts of a class for clusters, which need not be near each other, so directions *along* the stripes seem to
# tell classes apart.

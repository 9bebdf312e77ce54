"""What a static checker sees; ``make lint`` runs one, and an ignored error that is none is an error.

Nothing here is ever called.
"""

# pyright: basic, reportUnnecessaryTypeIgnoreComment=true
from metricnets import DDML, ITML, DDMLPairs
from metricnets.deep import HRAML
from metricnets.displays import EmbeddingDisplay, HistoryDisplay
from metricnets.linear import LFDA, LMNN, ITML_Supervised
from metricnets.predictors import MLKNN


def right():
    DDML(margin=2.0, hidden=(8, 4), sampler="pairs", lr_schedule=None, random_state=0)
    HRAML(hidden=[8], relation="jaccard", module=None)
    DDMLPairs(margin=2, jitter=1.0, preprocessor=[[1.0, 2.0]])
    ITML(gamma=2.0, prior="covariance", n_components=None)
    ITML_Supervised(prior=[[1.0, 0.0], [0.0, 1.0]])
    LMNN(n_neighbors=3, init="lda").set_params(n_neighbors=2).fit([[1.0]], [1]).transform([[1.0]])
    MLKNN(n_neighbors=3, metric=LMNN()).get_params()
    EmbeddingDisplay.from_estimator(LMNN(), [[1.0, 2.0]], [1], projection=None).plot(s=9).points.mean()
    HistoryDisplay(train_loss=[]).plot(ax=None)


def misspelt():
    DDML(margn=2.0)  # pyright: ignore[reportCallIssue]
    ITML(gama=2.0)  # pyright: ignore[reportCallIssue]
    LMNN(n_neighbours=3)  # pyright: ignore[reportCallIssue]
    MLKNN(neighbors=3)  # pyright: ignore[reportCallIssue]
    HistoryDisplay(loss=[])  # pyright: ignore[reportCallIssue]
    DDML(margin="wide")  # pyright: ignore[reportArgumentType]
    DDML(sampler="pear")  # pyright: ignore[reportArgumentType]
    LFDA(embedding_type="wide")  # pyright: ignore[reportArgumentType]
    ITML(random_state=0.5)  # pyright: ignore[reportArgumentType]

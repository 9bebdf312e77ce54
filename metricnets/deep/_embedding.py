"""EmbeddingNet: a neural network with any loss, relation and sampler."""

from metricnets.deep._any_loss_network import AnyLossNetwork


class EmbeddingNet(AnyLossNetwork):
    """Neural network embedding, trained with any loss on any relation of the targets.

    Methods such as contrastive or triplet learning differ only in their loss.  This is the estimator
    for all of them.

    See Also
    --------
    Mahalanobis : Linear metric trained with any loss.
    DDML : Network trained with a logistic loss of pairs, from labels.
    TripletsNet : Network trained with triplets that are given.
    QuadrupletsNet : Network trained with comparisons of distances that are given.
    HRAML : Network whose distances are aligned with relations of targets, such as label distributions.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import EmbeddingNet
    >>> X, y = load_iris(return_X_y=True)
    >>> net = EmbeddingNet(loss="triplet", loss_params={"margin": 0.3}, random_state=0)
    >>> net.fit_transform(X, y).shape
    (150, 64)

    A loss that classifies predicts classes:

    >>> net = EmbeddingNet(loss="cosface", random_state=0)
    >>> net.fit(X, y).predict(X[::50])
    array([0, 1, 2])
    """

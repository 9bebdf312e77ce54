"""MultiViewNet: a network for each of several views, fused in one embedding."""

from metricnets.deep._any_loss_network import AnyLossNetwork
from metricnets.deep.views._several import ViewsMetric


class MultiViewNet(ViewsMetric, AnyLossNetwork):
    r"""Networks of several views of the samples, such as image and text, fused in one embedding.

    The columns of X are those of several views, and each view v has a network f_v.  One more network f has the columns
    of all views, as it can learn how these vary together.  The embeddings of the networks are scaled to unit norm, and
    the squared distance is a weighted sum,

    .. math:: d^2(x, x') = (1 - \beta) \sum_v w_v \lVert f_v(x_v) - f_v(x'_v) \rVert^2
              + \beta \lVert f(x) - f(x') \rVert^2 ,

    as the embedding of x has those of all networks side by side, times the roots of their weights.  All are trained
    together, with a loss of d, as that of :class:`EmbeddingNet`.  The weights w are chosen by cross-validation before
    training, by how well samples held back are found among the others.

    A view may be missing in a row, in training and later: NaN in all of its columns.  In place of what the row lacks
    its embedding has the expectation given its other views, as if embeddings were jointly normal, and is scaled to unit
    norm, so that rows with and without a view are ranked together.  Mean and covariance of the embeddings are estimated
    from the training rows by expectation maximisation.  During training there is 0 instead, and the weights of the
    other views are scaled to sum to 1.

    See Also
    --------
    EmbeddingNet : One network for all columns.
    TwoViewNet : Two views in one space, in which one is found by the other.
    MultiViewOASIS_Supervised : Bilinear similarities of several views, learned online.

    References
    ----------
    P. Wu et al., "Online multimodal deep similarity learning with application to image retrieval", ACM Multimedia
    2013, for weights of several views, which are learned online there.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from metricnets import MultiViewNet
    >>> X, y = load_wine(return_X_y=True)
    >>> X[:20, 6:] = np.nan  # rows without the second view
    >>> MultiViewNet(views=[slice(6), slice(6, 13)], random_state=0).fit_transform(X, y).shape
    (178, 192)
    """

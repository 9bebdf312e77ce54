"""Template of a deep method: parameters, and the loss of a batch.  Copy the file to ``metricnets/deep/_name.py``."""

from metricnets._params import Positive
from metricnets.deep._perceptron import NetworkMetric
from metricnets.deep._supervised import Supervised
from metricnets.losses import contrastive


class ContrastiveNet(Supervised, NetworkMetric):
    """Contrastive network, trained with squared hinges on the distances of the pairs of a batch.

    Similar pairs are pulled together, and dissimilar pairs are pushed apart up to a margin.

    Parameters
    ----------
    margin : float > 0, default=1.0
        Distance up to which dissimilar pairs are pushed apart.

    See Also
    --------
    EmbeddingNet : Network trained with any loss.

    References
    ----------
    R. Hadsell, S. Chopra, Y. LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> ContrastiveNet(margin=2.0, max_epochs=3, random_state=0).fit_transform(X, y).shape
    (150, 64)
    """

    margin: Positive = 1.0

    def _loss(self, z, r):
        return contrastive(z, r, margin=self.margin, squared=True)

"""The losses of the catalogue by name, and those of pytorch-metric-learning with the same definition."""

from typing import NamedTuple

from sklearn.model_selection import ParameterGrid
from torch import nn

from metricnets import losses

try:
    from pytorch_metric_learning import distances
    from pytorch_metric_learning import losses as their_losses
    from pytorch_metric_learning.losses.mixins import WeightRegularizerMixin
except ImportError:
    their_losses = None

NAMES = [*losses.CATALOGUE]
MODULES = {name: entry.loss for name, entry in losses.CATALOGUE.items() if isinstance(entry.loss, type)}
TWO_VIEWS = [name for name, entry in losses.CATALOGUE.items() if entry.needs == "two views"]
N_SETTINGS = 4  # in the grid of each loss


class Peer(NamedTuple):
    """A loss of pytorch-metric-learning."""

    loss: str
    grid: dict  # four settings
    same: dict = {}  # parameters with which it is our loss with its defaults
    distance: str = ""  # if ours takes embeddings as they are: theirs scales them to unit norm
    net: dict = {}  # parameters of EmbeddingNet that it needs


DISTANCES = {
    "Euclidean": lambda: distances.LpDistance(normalize_embeddings=False),
    "squared": lambda: distances.LpDistance(normalize_embeddings=False, power=2),
    "inner product": lambda: distances.DotProductSimilarity(normalize_embeddings=False),
}
TEMPERATURES = {"temperature": [0.05, 0.1, 0.2, 0.5]}
MARGINS = {"margin": [0.05, 0.1, 0.2, 0.4]}
LIFTED_MARGINS = {"neg_margin": [0.5, 1.0, 1.5, 2.0]}
SMOOTH = {"smooth_loss": True}
SCALES = {"softmax_scale": [1, 3, 10, 30]}
PEERS = {
    "angular": Peer("AngularLoss", {"alpha": [30, 35, 40, 45]}, {"alpha": 45}),
    "arcface": Peer("ArcFaceLoss", {"margin": [14.3, 28.6], "scale": [16, 64]}),
    "circle": Peer("CircleLoss", {"m": [0.25, 0.4], "gamma": [20, 80]}),
    "contrastive": Peer("ContrastiveLoss", {"neg_margin": [0.5, 0.75, 1.0, 1.25]}, distance="Euclidean"),
    "cosface": Peer("CosFaceLoss", {"margin": [0.2, 0.35], "scale": [16, 64]}),
    "fast_ap": Peer("FastAPLoss", {"num_bins": [5, 10, 20, 40]}),
    "generalized_lifted": Peer("GeneralizedLiftedStructureLoss", LIFTED_MARGINS, distance="Euclidean"),
    "info_nce": Peer("NTXentLoss", TEMPERATURES, {"temperature": 0.05}, net={"sampler": "matched"}),
    "lifted": Peer("LiftedStructureLoss", LIFTED_MARGINS, distance="Euclidean"),
    "margin": Peer("MarginLoss", {"beta": [0.8, 1.0, 1.2, 1.4]}, {"learn_beta": True}),
    "multi_similarity": Peer("MultiSimilarityLoss", {"alpha": [2, 18], "base": [0.5, 0.75]}),
    "neighborhood": Peer("NCALoss", SCALES, distance="squared"),
    "normalized_softmax": Peer("NormalizedSoftmaxLoss", TEMPERATURES),
    "npair": Peer("NTXentLoss", TEMPERATURES, {"temperature": 0.2}, "inner product"),
    "proxy_anchor": Peer("ProxyAnchorLoss", {"margin": [0.1, 0.3], "alpha": [16, 32]}),
    "proxy_nca": Peer("ProxyNCALoss", SCALES, {"softmax_scale": 9}),
    "smooth_ap": Peer("SmoothAPLoss", {"temperature": [0.01, 0.03, 0.1, 0.3]}),
    "soft_triple": Peer("SoftTripleLoss", {"centers_per_class": [2, 10], "la": [10, 20]}),
    "soft_triplet": Peer("TripletMarginLoss", {"margin": [0.0, 0.1, 0.2, 0.4]}, SMOOTH | {"margin": 0.0}, "Euclidean"),
    "sphereface": Peer("SphereFaceLoss", {"margin": [2, 4], "scale": [4, 16]}, {"scale": 16}),
    "supcon": Peer("SupConLoss", TEMPERATURES),
    "triplet": Peer("TripletMarginLoss", MARGINS, {"margin": 0.2}, "Euclidean"),
    "vicreg": Peer(
        "VICRegLoss",
        {"invariance_lambda": [5, 25], "covariance_v": [1, 5]},
        net={"sampler": "matched", "normalize": False},
    ),
}


class _BetweenViews(nn.Module):
    """A loss of pytorch-metric-learning between the halves of a batch, in both directions unless it has none."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, z, codes):
        half = len(z) // 2
        a, b, codes = z[:half], z[half : 2 * half], codes[:half]
        if isinstance(self.loss, their_losses.VICRegLoss):
            return self.loss(a, ref_emb=b)
        return (self.loss(a, codes, ref_emb=b, ref_labels=codes) + self.loss(b, codes, ref_emb=a, ref_labels=codes)) / 2


def peers():
    """Names of our losses that have a counterpart in pytorch-metric-learning, if that is installed."""
    return [name for name in NAMES if name in PEERS] if their_losses else []


def their_loss(name, n_components, n_classes, **params):
    """The counterpart of our loss, a module; with our defaults, unless other parameters are given."""
    peer = PEERS[name]
    kind, params = getattr(their_losses, peer.loss), peer.same | params
    if issubclass(kind, WeightRegularizerMixin):
        params |= {"num_classes": n_classes, "embedding_size": n_components}
    if kind is their_losses.MarginLoss:
        params |= {"num_classes": n_classes}
    if peer.distance:
        params |= {"distance": DISTANCES[peer.distance]()}
    return _BetweenViews(kind(**params)) if name in TWO_VIEWS else kind(**params)


def our_settings(name):
    """Settings of EmbeddingNet with our loss."""
    return list(ParameterGrid(losses.grid(name)))


def their_settings(name):
    """Settings of our loss's counterpart."""
    return list(ParameterGrid(PEERS[name].grid))

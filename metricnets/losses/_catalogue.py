"""What each loss needs, where it comes from, when to use it, and settings to search."""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

from metricnets._checks import check_option
from metricnets.losses._angular import angular
from metricnets.losses._angular_classifiers import ArcFace, SphereFace
from metricnets.losses._cosine_classifiers import CosFace, NormalizedSoftmax
from metricnets.losses._deviance import binomial_deviance
from metricnets.losses._graded import angle, cosent, log_ratio
from metricnets.losses._hierarchical import HierarchicalTriplet
from metricnets.losses._histogram import fast_ap
from metricnets.losses._lifted import generalized_lifted, lifted
from metricnets.losses._linear_classifiers import Center, DeepID2
from metricnets.losses._margin import Margin
from metricnets.losses._neighborhood import megm, neighborhood
from metricnets.losses._pair import alignment, contrastive, logistic_pair
from metricnets.losses._proxy import ProxyAnchor, ProxyNCA
from metricnets.losses._quadruplet import quadruplet, two_margin_quadruplet
from metricnets.losses._ranking import recall_at_k, smooth_ap
from metricnets.losses._similarity import circle, multi_similarity
from metricnets.losses._smooth_triplet import soft_triplet, triplet_ratio
from metricnets.losses._soft_triple import SoftTriple
from metricnets.losses._softmax import supcon
from metricnets.losses._triplet import npair, triplet
from metricnets.losses._verification import ChiSquareVerification, L1Verification
from metricnets.losses._views import info_nce, info_nce_of_anchors, siglip, siglip_of_anchors, vicreg


class Entry(NamedTuple):
    """A row of the catalogue.

    Parameters
    ----------
    loss : callable
        A function of z and r, or a module of embeddings and class codes.
    needs : {'similar pairs', 'grades', 'classes', 'two views'}
        What counts of the targets: which pairs are similar, r > 0.5; the values of r; the class of each sample; or
        which samples are matched.
    unit_norm : bool
        Whether embeddings should have unit norm, or the loss scales them.
    grid : dict
        For each parameter to search, the values; four settings in all.
    source : str
    use : str
        When to use it.
    net : dict
        The same of parameters of the estimator.
    single_pairs : bool
        Whether batches may consist of single pairs, as no two pairs of a sample are compared.
    without_similar : bool
        Whether there is something to learn if no pair is similar.
    of_anchors : callable or None
        The loss as a function of z and the relation (m, n) of the first m samples, the anchors, with all, if it is made
        of means over anchors, or over their pairs.  Those of two views take a relation that is known for matches and
        for dissimilar samples of the other view alone.
    """

    loss: Callable
    needs: str
    unit_norm: bool
    grid: dict[str, list]
    source: str
    use: str
    net: dict[str, list] = {}
    single_pairs: bool = False
    without_similar: bool = False
    of_anchors: Callable | None = None


CATALOGUE = {
    "alignment": Entry(
        alignment,
        "grades",
        True,
        {"scale": [0.75, 1.5, 2.0, 3.0]},
        "Gu (HRAML)",
        "Label sets and distributions.",
        single_pairs=True,
        of_anchors=alignment,
    ),
    "angle": Entry(
        angle,
        "grades",
        True,
        {"scale": [5.0, 10.0, 20.0, 40.0]},
        "Li and Li, 2023 (AnglE)",
        "As cosent, where cosines are near 1 and their gradient vanishes.",
        single_pairs=True,
    ),
    "angular": Entry(
        angular,
        "similar pairs",
        True,
        {"angle": [30.0, 36.0, 40.0, 45.0]},
        "Wang et al., ICCV 2017",
        "Classes of very different spread, as an angle does not depend on the scale.",
    ),
    "arcface": Entry(
        ArcFace,
        "classes",
        True,
        {"margin": [0.2, 0.5], "scale": [16.0, 64.0]},
        "Deng et al., CVPR 2019; sub-centres: ECCV 2020",
        "Many classes, such as persons; n_centers=3 for classes with wrong labels or several clusters.",
    ),
    "binomial_deviance": Entry(
        binomial_deviance,
        "similar pairs",
        True,
        {"sharpness": [2.0, 10.0], "threshold": [0.3, 0.5]},
        "Yi et al., ICPR 2014",
        "Verification by a threshold on the cosine.",
        single_pairs=True,
        of_anchors=binomial_deviance,
    ),
    "center": Entry(
        Center,
        "classes",
        False,
        {"weight": [0.003, 0.01, 0.03, 0.1]},
        "Wen et al., ECCV 2016",
        "A classifier whose classes should also be compact.",
    ),
    "chi_square_verification": Entry(
        ChiSquareVerification,
        "classes",
        False,
        {},
        "Taigman et al., CVPR 2014 (DeepFace)",
        "Verification from histograms and other non-negative features.",
        {"loss_lr": [0.003, 0.01, 0.03, 0.1]},
    ),
    "circle": Entry(
        circle,
        "similar pairs",
        True,
        {"margin": [0.25, 0.4], "scale": [16.0, 80.0]},
        "Sun et al., CVPR 2020",
        "Hard positives and hard negatives, each weighted by how far it is from its aim.",
        of_anchors=circle,
    ),
    "contrastive": Entry(
        contrastive,
        "similar pairs",
        True,
        {"margin": [0.5, 0.75, 1.0, 1.25]},
        "Hadsell et al., CVPR 2006 (DrLIM)",
        "The first loss to try: the best of others gains little over it when both are tuned.",
        single_pairs=True,
        of_anchors=contrastive,
    ),
    "cosent": Entry(
        cosent,
        "grades",
        True,
        {"scale": [5.0, 10.0, 20.0, 40.0]},
        "Su, 2022",
        "Targets have degrees of similarity, of which only the order can be trusted.",
        single_pairs=True,
    ),
    "cosface": Entry(
        CosFace,
        "classes",
        True,
        {"margin": [0.1, 0.35], "scale": [16.0, 64.0]},
        "Wang et al., CVPR 2018",
        "Many classes, such as persons.",
    ),
    "deepid2": Entry(
        DeepID2,
        "classes",
        False,
        {"weight": [0.05, 0.5], "margin": [0.5, 1.0]},
        "Sun et al., NIPS 2014",
        "Identification and verification of the same classes at once.",
    ),
    "fast_ap": Entry(
        fast_ap,
        "similar pairs",
        True,
        {"n_bins": [5, 10, 20, 40]},
        "Cakir et al., CVPR 2019",
        "Retrieval that is scored by average precision, with large batches.",
        of_anchors=fast_ap,
    ),
    "generalized_lifted": Entry(
        generalized_lifted,
        "similar pairs",
        True,
        {"margin": [0.1, 0.2, 0.5, 1.0]},
        "Hermans et al., 2017",
        "A smooth form of the hardest triplets, where these collapse.",
        of_anchors=generalized_lifted,
    ),
    "hierarchical_triplet": Entry(
        HierarchicalTriplet,
        "classes",
        True,
        {"margin": [0.05, 0.1, 0.2, 0.5]},
        "Ge, ECCV 2018",
        "Many classes, some of which are much more similar than others.",
    ),
    "info_nce": Entry(
        info_nce,
        "two views",
        True,
        {"temperature": [0.02, 0.05, 0.1, 0.2]},
        "van den Oord et al., 2018; Radford et al., ICML 2021 (CLIP)",
        "Pairs that belong together, or very many classes of few samples.",
        of_anchors=info_nce_of_anchors,
    ),
    "l1_verification": Entry(
        L1Verification,
        "classes",
        False,
        {},
        "Taigman et al., CVPR 2014 (DeepFace)",
        "Verification, with a weight of each feature.",
        {"loss_lr": [0.003, 0.01, 0.03, 0.1]},
    ),
    "lifted": Entry(
        lifted,
        "similar pairs",
        True,
        {"margin": [0.2, 0.5, 1.0, 1.5]},
        "Oh Song et al., CVPR 2016",
        "Batches of many classes, where a similar pair should meet all negatives of both its samples.",
    ),
    "log_ratio": Entry(
        log_ratio,
        "grades",
        False,
        {"epsilon": [1e-6, 1e-4, 1e-2, 0.1]},
        "Kim et al., CVPR 2019",
        "Ratios of the dissimilarities of targets have a meaning, as those of poses or coordinates have.",
    ),
    "logistic_pair": Entry(
        logistic_pair,
        "similar pairs",
        True,
        {"margin": [0.7, 1.2], "gap": [0.0], "sharpness": [3.0, 10.0]},
        "Hu et al., CVPR 2014 (DDML)",
        "Verification, where a threshold on the distance decides.",
        single_pairs=True,
        of_anchors=logistic_pair,
    ),
    "margin": Entry(
        Margin,
        "classes",
        True,
        {"margin": [0.1, 0.2], "beta": [0.8, 1.2]},
        "Wu et al., ICCV 2017",
        "Verification of classes of different spread, as the boundary of each is learned.",
    ),
    "megm": Entry(
        megm,
        "grades",
        False,
        {"temperature": [0.03, 0.1, 0.3, 1.0]},
        "Zaidi et al., 2010",
        "As neighborhood, but wrong labels and samples far away count less; graded relations.",
        of_anchors=megm,
    ),
    "multi_similarity": Entry(
        multi_similarity,
        "similar pairs",
        True,
        {"alpha": [2.0, 18.0], "beta": [10.0, 50.0]},
        "Wang et al., CVPR 2019",
        "Many pairs of each sample; best with its miner.",
        of_anchors=multi_similarity,
    ),
    "neighborhood": Entry(
        neighborhood,
        "similar pairs",
        False,
        {"temperature": [0.03, 0.1, 0.3, 1.0]},
        "Salakhutdinov and Hinton, AISTATS 2007",
        "Nearest neighbours, and classes that consist of several clusters.",
        of_anchors=neighborhood,
    ),
    "normalized_softmax": Entry(
        NormalizedSoftmax,
        "classes",
        True,
        {"temperature": [0.02, 0.05, 0.1, 0.2]},
        "Zhai and Wu, BMVC 2019",
        "The first loss to try of those with parameters.",
    ),
    "npair": Entry(
        npair,
        "similar pairs",
        True,
        {"temperature": [0.05, 0.1, 0.2, 0.5]},
        "Sohn, NIPS 2016",
        "Many classes in a batch, and nearest neighbours.",
        of_anchors=npair,
    ),
    "proxy_anchor": Entry(
        ProxyAnchor,
        "classes",
        True,
        {"margin": [0.1, 0.3], "scale": [16.0, 32.0]},
        "Kim et al., CVPR 2020",
        "Retrieval of classes that are not in the training samples.",
    ),
    "proxy_nca": Entry(
        ProxyNCA,
        "classes",
        True,
        {"temperature": [0.03, 0.06, 0.111, 0.2]},
        "Teh et al., ECCV 2020 (ProxyNCA++)",
        "As proxy_anchor, with one temperature.",
    ),
    "quadruplet": Entry(
        quadruplet,
        "grades",
        True,
        {"margin": [0.2, 1.0], "squared": [False, True]},
        "Law et al., ICCV 2013",
        "Graded relations, or distances that should be comparable between all samples.",
        single_pairs=True,
    ),
    "recall_at_k": Entry(
        recall_at_k,
        "similar pairs",
        True,
        {"ks": [(1, 2, 4, 8, 16), (1, 2, 4)], "temperature": [0.01, 0.1]},
        "Patel et al., CVPR 2022",
        "Retrieval of which only the nearest few results matter, with large batches.",
        of_anchors=recall_at_k,
    ),
    "siglip": Entry(
        siglip,
        "two views",
        True,
        {"scale": [5.0, 10.0], "bias": [-10.0, -5.0]},
        "Zhai et al., ICCV 2023",
        "As info_nce, with small batches, or where some negatives may be wrong.",
        of_anchors=siglip_of_anchors,
    ),
    "smooth_ap": Entry(
        smooth_ap,
        "similar pairs",
        True,
        {"temperature": [0.01, 0.03, 0.1, 0.3]},
        "Brown et al., ECCV 2020",
        "Retrieval that is scored by average precision, with four or more samples of a class in a batch.",
        of_anchors=smooth_ap,
    ),
    "soft_triple": Entry(
        SoftTriple,
        "classes",
        True,
        {"n_centers": [2, 10], "scale": [10.0, 20.0]},
        "Qian et al., ICCV 2019",
        "Classes that consist of several clusters.",
    ),
    "soft_triplet": Entry(
        soft_triplet,
        "similar pairs",
        False,
        {"select": ["all", "hard"], "squared": [False, True]},
        "Hermans et al., 2017",
        "Triplets without a margin to choose.",
        of_anchors=soft_triplet,
    ),
    "sphereface": Entry(
        SphereFace,
        "classes",
        True,
        {"margin": [2, 4], "scale": [16.0, 32.0]},
        "Liu et al., CVPR 2017",
        "To reproduce it; CosFace and ArcFace train more easily.",
    ),
    "supcon": Entry(
        supcon,
        "similar pairs",
        True,
        {"temperature": [0.05, 0.1, 0.2, 0.5]},
        "Khosla et al., NeurIPS 2020",
        "Large batches, and classes that should be compact.",
        of_anchors=supcon,
    ),
    "triplet": Entry(
        triplet,
        "similar pairs",
        False,
        {"margin": [0.05, 0.1, 0.2, 0.4]},
        "Schroff et al., CVPR 2015 (FaceNet)",
        "Nearest neighbours, where only the order of distances matters.",
        of_anchors=triplet,
    ),
    "triplet_ratio": Entry(
        triplet_ratio,
        "similar pairs",
        False,
        {"select": ["all", "hard"], "squared": [False, True]},
        "Hoffer and Ailon, SIMBAD 2015",
        "Labels with errors, as no triplet has a loss above 1.",
        of_anchors=triplet_ratio,
    ),
    "two_margin_quadruplet": Entry(
        two_margin_quadruplet,
        "similar pairs",
        True,
        {"margin": [0.3, 1.0], "pair_margin": [0.1, 0.5]},
        "Chen et al., CVPR 2017",
        "Triplets that should also keep distances within classes below those between classes everywhere.",
    ),
    "vicreg": Entry(
        vicreg,
        "two views",
        False,
        {"invariance": [5.0, 25.0], "covariance": [0.1, 1.0]},
        "Bardes et al., ICLR 2022",
        "Two views without negatives, and without unit norm: normalize=False.",
        {"normalize": [False]},
        without_similar=True,
    ),
}


def grid(loss: str, prefix: str = "") -> dict[str, list]:
    """Return settings of a loss to search, since defaults are seldom the best.

    Parameters
    ----------
    loss : str
        Name of a loss.
    prefix : str, default=''
        Put before the names of the parameters, as ``'embeddingnet__'`` for a step of a pipeline.

    Returns
    -------
    grid : dict
        Of the parameters ``loss`` and ``loss_params``, and those of the estimator that the loss needs, for
        :class:`sklearn.model_selection.GridSearchCV`: four settings.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from metricnets import EmbeddingNet, losses
    >>> grids = [losses.grid(name, prefix="embeddingnet__") for name in ("npair", "triplet")]
    >>> search = GridSearchCV(make_pipeline(EmbeddingNet(), KNeighborsClassifier()), grids)
    """
    check_option("loss", loss, [*CATALOGUE])
    entry = CATALOGUE[loss]
    settings = [dict(zip(entry.grid, values)) for values in product(*entry.grid.values())]
    found = {"loss": [loss], "loss_params": settings} | entry.net
    return {f"{prefix}{name}": values for name, values in found.items()}

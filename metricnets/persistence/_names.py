"""The classes and functions that a file may name: those of this list, and those that the user trusts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.special
from sklearn.base import BaseEstimator

from metricnets._lazy import needed

ESTIMATORS = ("metricnets", "metricnets.metric_learn", "metricnets.tracking")  # of their names, the estimators
VOCABULARY = tuple(f"metricnets.{name}" for name in ("losses", "miners", "networks", "relations", "samplers"))

# What has another name by now: the full name in older files, and that of today, such as "metricnets._old.Thing":
# "metricnets._new.Thing".  Entries stay for good.
RENAMED: dict[str, str] = {}

# What fitted estimators and distances consist of, besides public classes.  Files have these names: what is moved gets
# an entry in `RENAMED`.
HELPERS = {
    "metricnets._codes": "signs",
    "metricnets._expected_views": "Expectation",
    "metricnets._fused_views": "CheckedViews FusedViews Views WeightedViews",
    "metricnets._local_votes": "LocalVotes",
    "metricnets._neighbors": "Neighbors",
    "metricnets._numpy_networks": (
        "Affine Average Chain GaussianKernels Linear Residual SideBySide Standardized SubspaceNorms Total gelu lifted "
        "nonsaturating relu unit_norm"
    ),
    "metricnets._pair_probability": "Isotonic Odds PairProbability",
    "metricnets._relatedness.counting": "Relatedness",
    "metricnets._reservoir": "Reservoir",
    "metricnets._scatters": "DifferenceSums Scatters",
    "metricnets._tasks": "Tasks",
    "metricnets._tuples": "ArrayIndexer",
    "metricnets.base": "Distance",
    "metricnets.deep._training.numpy_networks": "TorchEmbedding",
    "metricnets.deep._training.renewed": "ClassSums",
    "metricnets.deep._training.several_views": "Checked Fused ViewNetworks",
    "metricnets.deep._training.stream": "Memory Start",
    "metricnets.deep._training.two_views": "CrossDistance",
    "metricnets.deep.multitask._heads": "Heads",
    "metricnets.linear._solvers.hedge": "Hedge",
    "metricnets.linear._solvers.passive_aggressive": "Moments",
    "metricnets.linear._solvers.view_similarity": "View",
    "metricnets.predictors._base": "Measurements",
    "metricnets.predictors._classes.novelty": "ClassScore KernelScore",
    "metricnets.predictors._on_metric": "Measured",
    "metricnets.tracking._alignment": "Alignment",
    "metricnets.tracking._appearance": "Appearance Matcher Projection Views",
    "metricnets.tracking._motion": "Motion",
    "metricnets.tracking._patches": "Geometry",
}

# Steps of scikit-learn that compute with NumPy and SciPy, or whose compiled code is given arrays that are checked.
# Trees and support vector machines are not: their compiled code reads where a number in the file says.
SCIKIT_LEARN = {
    "sklearn.cluster": "KMeans",
    "sklearn.compose": "ColumnTransformer TransformedTargetRegressor",
    "sklearn.covariance": "EmpiricalCovariance LedoitWolf OAS ShrunkCovariance",
    "sklearn.cross_decomposition": "CCA PLSCanonical PLSRegression PLSSVD",
    "sklearn.decomposition": "FactorAnalysis FastICA IncrementalPCA KernelPCA NMF PCA TruncatedSVD",
    "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "sklearn.dummy": "DummyClassifier DummyRegressor",
    "sklearn.feature_extraction": "DictVectorizer",
    "sklearn.feature_extraction.text": "CountVectorizer TfidfTransformer TfidfVectorizer",
    "sklearn.feature_selection": (
        "SelectFromModel SelectKBest SelectPercentile VarianceThreshold chi2 f_classif f_regression "
        "mutual_info_classif mutual_info_regression"
    ),
    "sklearn.impute": "MissingIndicator SimpleImputer",
    "sklearn.kernel_approximation": "AdditiveChi2Sampler Nystroem RBFSampler",
    "sklearn.linear_model": (
        "ElasticNet Lasso LinearRegression LogisticRegression LogisticRegressionCV Ridge RidgeClassifier "
        "RidgeClassifierCV RidgeCV"
    ),
    "sklearn.model_selection": (
        "GridSearchCV GroupKFold GroupShuffleSplit HalvingGridSearchCV HalvingRandomSearchCV KFold LeaveOneGroupOut "
        "LeaveOneOut PredefinedSplit RandomizedSearchCV RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
        "StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit"
    ),
    "sklearn.multiclass": "OneVsRestClassifier",
    "sklearn.multioutput": "MultiOutputClassifier MultiOutputRegressor",
    "sklearn.naive_bayes": "BernoulliNB GaussianNB MultinomialNB",
    "sklearn.neighbors": (
        "KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer NearestCentroid NearestNeighbors "
        "NeighborhoodComponentsAnalysis"
    ),
    "sklearn.pipeline": "FeatureUnion Pipeline",
    "sklearn.preprocessing": (
        "Binarizer FunctionTransformer KBinsDiscretizer KernelCenterer LabelBinarizer LabelEncoder MaxAbsScaler "
        "MinMaxScaler MultiLabelBinarizer Normalizer OneHotEncoder OrdinalEncoder PolynomialFeatures "
        "PowerTransformer QuantileTransformer RobustScaler StandardScaler TargetEncoder"
    ),
    "sklearn.random_projection": "GaussianRandomProjection SparseRandomProjection",
    "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
}

LAYERS = {
    "torch.nn": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d AlphaDropout AvgPool1d AvgPool2d "
        "BatchNorm1d BatchNorm2d BatchNorm3d Bilinear CELU ConstantPad1d ConstantPad2d Conv1d Conv2d Conv3d "
        "ConvTranspose1d ConvTranspose2d Dropout Dropout1d Dropout2d ELU Embedding EmbeddingBag Flatten GELU GLU "
        "GroupNorm Hardsigmoid Hardswish Hardtanh Identity InstanceNorm1d InstanceNorm2d LayerNorm LeakyReLU Linear "
        "LogSigmoid LogSoftmax MaxPool1d MaxPool2d Mish ModuleDict ModuleList PReLU ParameterDict ParameterList "
        "RMSNorm ReLU ReLU6 SELU Sequential SiLU Sigmoid Softmax Softmin Softplus Softsign Tanh Unflatten Upsample "
        "ZeroPad2d"
    ),
}

KNOWN = {module: {*names.split()} for module, names in (HELPERS | SCIKIT_LEARN | LAYERS).items()}
KNOWN["scipy.special"] = {"softmax"}
UFUNCS = {"numpy": np, "scipy.special": scipy.special}
TYPES = {f"builtins.{kind.__name__}": kind for kind in (bool, int, float, complex, str, object)}


class Names:
    """The classes and functions that a file may name.

    Parameters
    ----------
    trusted : iterable of classes and functions, default=()
        Those of the user.
    """

    def __init__(self, trusted: Iterable[Any] = ()) -> None:
        if not isinstance(trusted, Iterable):
            raise TypeError(f"trusted={trusted!r} should be a list of classes and functions.")
        trusted = [*trusted]
        for thing in trusted:
            if not hasattr(thing, "__qualname__"):
                raise TypeError(f"trusted has {thing!r}; give classes and functions themselves, and not their names.")
        self.trusted = {f"__main__.{thing.__qualname__}": thing for thing in trusted}  # a script that was imported here
        self.trusted |= {own_name(thing): thing for thing in trusted}

    def __getitem__(self, name: str) -> Any:
        """The class or function of a name; ValueError if it is not known."""
        if name in self.trusted:
            return self.trusted[name]
        module, _, own = RENAMED.get(name, name).rpartition(".")
        thing = _known(module, own)
        if thing is None:
            raise ValueError(
                f"it needs {name}, which is not among the classes and functions that metricnets knows. If you trust "
                f"the file, import {own} and call load(..., trusted=[{own}])."
            )
        return thing


def name_of(thing: Any) -> str:
    """The name of a class or function in files: its public one if it is known, otherwise that of its module."""
    own = getattr(thing, "__name__", "")
    return next((f"{module}.{own}" for module in _homes(thing, own) if _known(module, own) is thing), own_name(thing))


def own_name(thing: Any) -> str:
    """The name by which Python knows a class or function."""
    return f"{getattr(thing, '__module__', None)}.{getattr(thing, '__qualname__', thing)}"


def _known(module: str, own: str) -> Any:
    """The known class or function of this name in this module; otherwise None."""
    if own in KNOWN.get(module, ()):
        return getattr(needed(module, own), own, None)
    if module in ESTIMATORS or module in VOCABULARY:
        return _public(needed(module, own), own)
    if module in UFUNCS:
        thing = getattr(UFUNCS[module], own, None)
        return thing if isinstance(thing, np.ufunc) or _is_type_of(thing, np.generic) else None
    return TYPES.get(f"{module}.{own}")


def _public(module, own):
    """A public estimator, or a class or function of the vocabulary; otherwise None."""
    if own not in module.__all__:
        return None
    thing = getattr(module, own)
    return thing if module.__name__ in VOCABULARY or _is_type_of(thing, BaseEstimator) else None


def _is_type_of(thing, base):
    return isinstance(thing, type) and issubclass(thing, base)


def _homes(thing: Any, own: str) -> Iterator[str]:
    """The modules where a class or function may be known."""
    if isinstance(thing, np.ufunc):
        yield from UFUNCS
        return
    home = thing.__module__
    yield home
    if home.startswith("metricnets."):
        yield from ESTIMATORS
    yield from (module for module in VOCABULARY if home.startswith(module))
    yield from (module for module, names in KNOWN.items() if own in names and home.startswith(module))

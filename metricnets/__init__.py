"""metricnets: metric learning, linear and deep, for people who live in scikit-learn."""

import importlib

__version__ = "0.1.0"

__path__.append(__path__[0] + "/_metric_learn")  # so that `import metricnets.itml` finds what metric-learn has

_HOME = {
    "AAKNN": "neighbors._aaknn",
    "Constraints": "constraints",
    "Covariance": "linear._covariance",
    "DDML": "deep._ddml",
    "DDMLPairs": "deep._ddml",
    "DMLEig": "linear._dmleig",
    "DMLEig_Supervised": "linear._dmleig",
    "DTML": "deep._dtml",
    "DoubletSVM": "linear._doublet_svm",
    "DoubletSVM_Supervised": "linear._doublet_svm",
    "EmbeddingNet": "deep._embedding",
    "GMML": "linear._gmml",
    "GMML_Supervised": "linear._gmml",
    "HRAML": "deep._hraml",
    "ITML": "linear._itml",
    "ITML_Supervised": "linear._itml",
    "LDA": "linear._lda",
    "LDML": "linear._ldml",
    "LDML_Supervised": "linear._ldml",
    "LFDA": "linear._lfda",
    "LMNN": "linear._lmnn",
    "LSML": "linear._lsml",
    "LSML_Supervised": "linear._lsml",
    "MLKNN": "neighbors._mlknn",
    "MLKR": "linear._mlkr",
    "MMC": "linear._mmc",
    "MMC_Supervised": "linear._mmc",
    "Mahalanobis": "deep._mahalanobis",
    "NCA": "linear._nca",
    "PairsClassifier": "neighbors._pairs_classifier",
    "RAML": "linear._raml",
    "RCA": "linear._rca",
    "RCA_Supervised": "linear._rca",
    "SCML": "linear._scml",
    "SCML_Supervised": "linear._scml",
    "SDML": "linear._sdml",
    "SDML_Supervised": "linear._sdml",
    "SourceOnly": "neighbors._source_only",
}

# metric-learn's modules, which `import metricnets as metric_learn` should reach as attributes
_MODULES = {"base_metric", "constraints", "covariance", "exceptions", "itml", "lfda", "lmnn", "lsml", "mlkr"}
_MODULES |= {"mmc", "nca", "rca", "scml", "sdml"}
_MODULES |= {"losses", "metrics", "protocols", "relations"}  # and ours, for who types metricnets.metrics

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a public name when it is first used: ``LDA`` must not cost an import of PyTorch."""
    if name in _MODULES:
        return importlib.import_module(f"metricnets.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'metricnets' has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"metricnets.{_HOME[name]}"), name)
    return globals()[name]


def __dir__():
    return sorted([*globals(), *_HOME])

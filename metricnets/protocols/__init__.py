"""Protocols of evaluation, for your own data: who is trained on what, and who is judged on what.

Each takes estimators as they are before ``fit``, clones them, and returns a dictionary of arrays,
one entry for each fold, split or task, as ``cross_validate`` of scikit-learn does.  Nothing of a
test part is seen by what is fitted or chosen: neither metric, nor threshold, nor scaler, with the
one exception that is asked for by ``scaling="each"``.
"""

from metricnets.protocols._gallery import gallery_probe
from metricnets.protocols._multilabel import multilabel_split
from metricnets.protocols._pairs import cross_validate_pairs
from metricnets.protocols._transfer import transfer

__all__ = ["cross_validate_pairs", "gallery_probe", "multilabel_split", "transfer"]

"""Validation of truth and prediction, rows of one width."""

from scipy.sparse import issparse
from sklearn.utils.validation import check_array


def check_rows(truth, predicted, names):
    """Two float tables of one shape, rows of finite numbers; ValueError that names them if they are not."""
    truth = truth.toarray() if issparse(truth) else truth
    truth = check_array(truth, dtype=float, input_name=names[0])
    predicted = check_array(predicted, dtype=float, input_name=names[1])
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{names[0]} has shape {truth.shape} and {names[1]} {predicted.shape}; "
            "both should be (n_samples, n_labels), a column for each label."
        )
    return truth, predicted

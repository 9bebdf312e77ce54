"""Validation of truth and prediction, rows of one width."""

from metricnets._arrays import checked_array


def check_rows(truth, predicted, names):
    """Two float tables of one shape, rows of finite numbers; ValueError that names them if they are not."""
    truth, predicted = (checked_array(rows, name, dtype=float) for rows, name in zip((truth, predicted), names))
    if truth.shape != predicted.shape:
        raise ValueError(
            f"{names[0]} has shape {truth.shape} and {names[1]} {predicted.shape}; "
            "both should be (n_samples, n_labels), a column for each label."
        )
    return truth, predicted

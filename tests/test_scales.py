"""Points of any scale: every linear learner gives a finite metric and finite embeddings, or says what is wrong."""

import warnings

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, ONLINE_VIEWS, quick, tiny_points, training_data

LINEAR = [name for name in METRICS if ESTIMATORS[name].__module__.startswith("metricnets.linear")]
SCALES = {
    np.float64: [1e-300, 1e-160, 1e-100, 1e-42, 1e-20, 1e20, 1e60, 1e100, 1e300],
    np.float32: [1e-42, 1e-30, 1e-20, 1e20, 1e37],
}
X, _ = tiny_points(seed=1)


@pytest.mark.parametrize(("dtype", "scale"), [(dtype, scale) for dtype, scales in SCALES.items() for scale in scales])
@pytest.mark.parametrize("name", LINEAR)
def test_any_scale_gives_finite_numbers_or_a_clear_error(name, dtype, scale):
    data, y = training_data(name)
    data, points = ((array * scale).astype(dtype) for array in (data, X))
    learner, complaint = quick(name), ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            learner.fit(data, y)
        except ValueError as error:
            complaint = str(error)
    if complaint:
        assert "scale" in complaint
        assert not (1e-75 if dtype is np.float64 else 1e-37) < scale < 1e70
        return
    if name not in ONLINE_VIEWS:
        assert np.isfinite(learner.components_).all()
        assert np.isfinite(learner.get_mahalanobis_matrix()).all()
    assert np.isfinite(learner.transform(points)).all()
    assert np.isfinite(learner.pair_distance(np.stack([points[:-1], points[1:]], axis=1))).all()

"""MetricTracker: it follows, notices what hides the object, and behaves as an estimator does."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from metricnets.datasets import make_tracking_sequence
from metricnets.tracking import MetricTracker, box_overlap, center_error

SMALL = {"size": (90, 120), "target_size": (24, 20), "speed": 1.5, "n_distractors": 1, "random_state": 3}
SMALL |= {"scaling": 1.1, "rotation": 0.2, "deformation": 0.2}  # in a few frames
QUICK = {"n_pixels": 100, "n_background": 60, "random_state": 0}


@pytest.fixture(scope="module")
def sequence():
    return make_tracking_sequence(26, **SMALL, n_occlusions=0)


@pytest.fixture(scope="module")
def hidden():
    """A sequence in which something moves over the object."""
    return make_tracking_sequence(36, **SMALL, n_occlusions=1)


@pytest.fixture(scope="module")
def tracked(sequence):
    frames, boxes = sequence
    return MetricTracker(**QUICK).init(frames[0], boxes[0]).track(frames[1:])


def test_it_follows_an_object_that_moves_turns_and_changes_size_and_light(sequence, tracked):
    _, boxes = sequence
    assert (center_error(tracked, boxes[1:]) < 5).all()
    assert box_overlap(tracked, boxes[1:]).mean() > 0.7


def test_it_notices_what_hides_the_object_and_finds_it_again(hidden):
    frames, boxes = hidden
    tracker = MetricTracker(**QUICK).init(frames[0], boxes[0])
    errors, seen = [], []
    for frame, box in zip(frames[1:], boxes[1:]):
        errors.append(center_error([tracker.update(frame)], [box])[0])
        seen.append(tracker.visible_)
    assert 2 < seen.count(False) < 20
    assert all(seen[-5:])
    assert max(errors[-5:]) < 5


def test_nothing_is_learned_while_the_object_is_hidden(sequence):
    frames, boxes = sequence
    tracker = MetricTracker(**QUICK).init(frames[0], boxes[0])
    tracker.track(frames[1:4])
    learned = tracker._appearance
    tracker.update(np.full_like(frames[0], 90))
    assert not tracker.visible_
    assert tracker._appearance is learned


def test_the_first_patch_stays_a_template(sequence):
    frames, boxes = sequence
    tracker = MetricTracker(**QUICK, n_templates=1).init(frames[0], boxes[0])
    first = tracker._appearance.templates[0]
    tracker.track(frames[1:12])
    assert len(tracker._appearance.recent.features) == 5
    assert_array_equal(tracker._appearance.templates[0], first)


def test_the_metric_is_updated_unless_it_should_not_be(sequence):
    frames, boxes = sequence
    for interval, n_changes in ((1, 6), (3, 6), (None, 0)):
        tracker = MetricTracker(**QUICK, update_interval=interval, min_margin=0.05).init(frames[0], boxes[0])
        tracker.track(frames[1:7])
        assert tracker._appearance.n_changes == n_changes


@pytest.mark.parametrize("unit", ["float", "colour", "tiny", "inverted light"])
def test_units_of_grey_levels_and_colours_do_not_matter(sequence, tracked, unit):
    frames, boxes = sequence
    change = {
        "float": lambda f: f / 255,
        "colour": lambda f: np.repeat(f[..., None], 3, axis=-1),
        "tiny": lambda f: f * 1e-12,
        "inverted light": lambda f: 0.5 * f + 40.0,
    }[unit]
    found = MetricTracker(**QUICK).init(change(frames[0]), boxes[0]).track(change(frames[1:8]))
    assert_allclose(found, tracked[:7], atol=0.5)


def test_the_same_seed_gives_the_same_boxes_also_after_a_pickle_in_the_middle(sequence, tracked):
    frames, boxes = sequence
    state = np.random.get_state()[1].copy()
    tracker = MetricTracker(**QUICK).init(frames[0], boxes[0])
    tracker.track(frames[1:6])
    copy = pickle.loads(pickle.dumps(tracker))
    for each in (tracker, copy):
        assert_array_equal(each.track(frames[6:9]), tracked[5:8])
    assert_array_equal(np.random.get_state()[1], state)


def test_errors_leave_the_tracker_as_it_was(sequence, tracked):
    frames, boxes = sequence
    tracker = MetricTracker(**QUICK).init(frames[0], boxes[0])
    tracker.track(frames[1:4])
    wrong = np.where(frames[4] > 200, np.nan, frames[4])
    for message, call in {
        "NaN": lambda: tracker.update(wrong),
        "120 pixels wide and 50 high, grey, but the first one": lambda: tracker.update(frames[4][:50]),
        "in colour, but the first one": lambda: tracker.update(np.repeat(frames[4][..., None], 3, axis=-1)),
        "at least 4 pixels": lambda: tracker.init(frames[4], [0, 0, 1, 1]),
        "outside of the frame": lambda: tracker.init(frames[4], [500, 0, 20, 20]),
        "one grey level": lambda: tracker.init(np.zeros((90, 120)), boxes[4]),
        "n_components": lambda: clone(tracker).set_params(n_components=0).init(frames[4], boxes[4]),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    assert_array_equal(tracker.track(frames[4:6]), tracked[3:5])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros(5), "shape"),
        (np.zeros((9, 9, 4)), "shape"),
        (np.zeros((0, 9)), "shape"),
        (np.array([["a", "b"], ["c", "d"]]), "dtype"),
        (np.zeros((9, 9), complex), "dtype"),
        (np.full((9, 9), np.inf), "infinite"),
        ([[1, 2], [3]], "frame=.* rows have different lengths"),
    ],
)
def test_frames_are_checked(frame, message):
    with pytest.raises(ValueError, match=message):
        MetricTracker().init(frame, [0, 0, 5, 5])


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 5],
        "box",
        [0, 0, np.nan, 5],
        [0, 0, 3, 5],
        [-9, 0, 9, 9],
        None,
        [0, 9, 5, 5],
        [0, 0, 19, 9],
        [1, [2], 3, 4],
    ],
)
def test_boxes_are_checked(box):
    with pytest.raises(ValueError, match="box="):
        MetricTracker().init(np.arange(81.0).reshape(9, 9), box)


def test_calls_that_are_wrong_say_what_to_do(sequence):
    frames, boxes = sequence
    with pytest.raises(NotFittedError, match=r"call init\(frame, box\) first"):
        MetricTracker().update(frames[0])
    with pytest.raises(TypeError, match=r"MetricTracker.init\(\) missing a required argument: 'box'"):
        MetricTracker().init(frames[0])
    with pytest.raises(ValueError, match="metric=PCA is a class"):
        MetricTracker(metric=PCA).init(frames[0], boxes[0])


@pytest.mark.parametrize("box", [[-8, -6, 24, 20], [100, 70, 40, 40], [-60, -45, 240, 180], [10.3, 20.7, 4, 60]])
def test_boxes_across_the_border_large_and_narrow_ones_are_followed(sequence, box):
    frames, _ = sequence
    found = MetricTracker(**QUICK).init(frames[0], box).track([*frames[1:3], np.zeros_like(frames[0]), frames[3]])
    assert found.shape == (4, 4)
    assert np.isfinite(found).all()


def test_an_object_that_leaves_is_expected_at_the_border(sequence):
    frames, boxes = sequence
    tracker = MetricTracker(**QUICK).init(frames[0], boxes[0])
    for shift in range(0, 200, 20):
        moved = np.roll(frames[0], shift, axis=1)
        moved[:, :shift] = 90
        x, y, width, height = tracker.update(moved)
    assert not tracker.visible_
    assert 0 <= x + width / 2 <= 120
    assert 0 <= y + height / 2 <= 90


def test_an_object_that_comes_back_far_away_is_found(sequence):
    frames, boxes = sequence
    tracker = MetricTracker(**QUICK).init(frames[0], boxes[0])
    shift = 55 * np.array([1 if boxes[0, 0] < 50 else -1, 0])
    tracker.track([frames[1], *[np.full_like(frames[0], 90)] * 8, *[np.roll(frames[0], shift, axis=(1, 0))] * 6])
    assert tracker.visible_
    assert center_error([tracker.box_], [boxes[0] + [*shift, 0, 0]])[0] < 3


def test_an_object_that_differs_from_the_background_in_colour_only_is_followed(sequence):
    frames, boxes = sequence
    red, blue = frames[:8].astype(float), np.full(frames[:8].shape, 90.0)
    frames = np.stack([red, (150 - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1)
    found = MetricTracker(**QUICK).init(frames[0], boxes[0]).track(frames[1:])
    assert (center_error(found, boxes[1:8]) < 5).all()


class Counting(PCA):
    """Principal components that count how often they were fitted."""

    def __init__(self, n_components=16, warm_start=False):
        super().__init__(n_components)
        self.warm_start = warm_start

    def fit(self, X, y=None):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        return super().fit(X, y)


@pytest.mark.parametrize(("warm_start", "n_fits"), [(True, 3), (False, 1)])
def test_a_metric_with_warm_start_goes_on_until_init_and_others_begin_anew(sequence, warm_start, n_fits):
    frames, boxes = sequence
    options = {"update_interval": 2, "min_margin": 0.02, "metric": Counting(warm_start=warm_start)}
    tracker = MetricTracker(**QUICK, **options).init(frames[0], boxes[0])
    tracker.track(frames[1:6])
    assert tracker._metric.n_fits_ == n_fits
    assert tracker._appearance.n_changes == 5
    assert not hasattr(tracker.metric, "n_fits_")
    assert tracker.init(frames[0], boxes[0])._metric.n_fits_ == 1


@pytest.mark.parametrize("metric", [FunctionTransformer(), PCA(16)])
def test_any_metric_can_be_learned(sequence, metric):
    frames, boxes = sequence
    tracker = MetricTracker(**QUICK, metric=metric, update_interval=3, min_margin=0.05).init(frames[0], boxes[0])
    assert (center_error(tracker.track(frames[1:7]), boxes[1:7]) < 5).all()
    assert not hasattr(metric, "n_features_in_")


@pytest.mark.parametrize(
    ("function", "message"),
    [(lambda X: X * np.nan, "got NaN"), (lambda X: X[:, 0], "got shape"), (lambda X: X[:1], "got shape")],
)
def test_what_the_metric_returns_is_checked(sequence, function, message):
    frames, boxes = sequence
    with pytest.raises(ValueError, match=f"metric should transform .* patches to finite numbers .*{message}"):
        MetricTracker(**QUICK, metric=FunctionTransformer(function)).init(frames[0], boxes[0])


def test_parameters_are_those_of_an_estimator(sequence):
    frames, boxes = sequence
    tracker = MetricTracker(n_templates=3)
    assert repr(tracker) == "MetricTracker(n_templates=3)"
    assert "MetricTracker" in tracker._repr_html_()
    fresh = clone(tracker.init(frames[0], boxes[0]))
    assert fresh.get_params() == tracker.get_params()
    assert not hasattr(fresh, "box_")
    assert fresh.track([]).shape == (0, 4)
    with pytest.raises(ValueError, match="Did you mean 'n_templates'"):
        tracker.set_params(n_template=2)


def test_scores_by_hand():
    a, b = [[0, 0, 4, 4], [0, 0, 2, 2], [1, 1, 2, 2]], [[0, 2, 4, 4], [5, 5, 2, 2], [1, 1, 2, 2]]
    assert_allclose(box_overlap(a, b), [1 / 3, 0, 1])
    assert_allclose(center_error(a, b), [2, 50**0.5, 0])
    for wrong in ([[0, 0, 1]], [[0, 0, 0, 1]] * 3, a[:2]):
        with pytest.raises(ValueError, match="boxes"):
            box_overlap(wrong, b)


@pytest.mark.parametrize("settings", [{"radius": 1e6}, {"scale_step": 1e-3}, {"scale_step": 1e3}])
def test_searches_stay_within_the_frame_and_the_scales(sequence, settings):
    frames, boxes = sequence
    x, y, width, height = MetricTracker(**QUICK, **settings).init(frames[0], boxes[0]).track(frames[1:2])[0]
    assert -width < x < frames.shape[2]
    assert -height < y < frames.shape[1]
    assert 0.29 < width / boxes[0][2] < 3.01


def test_a_metric_needs_fit_and_transform(sequence):
    frames, boxes = sequence
    with pytest.raises(ValueError, match="'fit' and 'transform'"):
        MetricTracker(metric=LogisticRegression()).init(frames[0], boxes[0])

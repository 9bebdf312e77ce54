"""Made sequences: what moves, shines, grows and hides is what the parameters say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from metricnets.datasets import make_tracking_sequence

PLAIN = {
    "size": (60, 80),
    "target_size": (16, 12),
    "scaling": 1.0,
    "rotation": 0.0,
    "lighting": 0.0,
    "deformation": 0.0,
    "n_occlusions": 0,
    "n_distractors": 0,
    "noise": 0.0,
    "random_state": 0,
}


def centers(boxes):
    return boxes[:, :2] + boxes[:, 2:] / 2


def patch(frame, box):
    """The middle of a box, whose outline is soft."""
    x, y = np.round(box[:2] + box[2:] / 2).astype(int)
    return frame[y - 4 : y + 4, x - 3 : x + 3].astype(float)


@pytest.mark.parametrize("motion", ["bounce", "walk", "circle", "sway"])
def test_the_box_stays_in_the_frame_and_moves_as_fast_as_it_should(motion):
    frames, boxes = make_tracking_sequence(60, **PLAIN | {"scaling": 1.2}, motion=motion, speed=1.5)
    assert frames.shape == (60, 60, 80)
    assert frames.dtype == np.uint8
    assert (boxes[:, :2] >= -1e-9).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= [80 + 1e-9, 60 + 1e-9]).all()
    steps = np.linalg.norm(np.diff(centers(boxes), axis=0), axis=1)
    assert 0.3 < steps.mean() < 3


def test_a_target_at_rest_keeps_its_pixels():
    frames, boxes = make_tracking_sequence(5, **PLAIN, speed=0.0)
    assert_allclose(boxes, boxes[[0] * 5])
    assert_array_equal(patch(frames[0], boxes[0]), patch(frames[4], boxes[4]))


@pytest.mark.parametrize(
    "change", [{"rotation": 0.5}, {"lighting": 1.0}, {"deformation": 1.0}, {"n_occlusions": 2}, {"noise": 5.0}]
)
def test_each_parameter_changes_the_pixels_of_a_target_at_rest(change):
    frames, boxes = make_tracking_sequence(40, **PLAIN | change, speed=0.0)
    differences = [np.abs(patch(frame, boxes[0]) - patch(frames[0], boxes[0])).mean() for frame in frames]
    assert max(differences) > 3


def test_the_first_box_has_the_given_size_and_the_others_scale_within_the_factor():
    _, boxes = make_tracking_sequence(60, **PLAIN | {"scaling": 1.4})
    assert_allclose(boxes[0, 2:], [12, 16])
    assert_allclose(boxes[:, 2] / 12, boxes[:, 3] / 16)
    factors = boxes[:, 2] / 12
    assert 1.3 < factors.max() <= 1.4 + 1e-9
    assert 1 / 1.4 - 1e-9 <= factors.min() < 1 / 1.3


def test_what_covers_the_target_comes_after_the_first_frames_and_goes_again():
    frames, boxes = make_tracking_sequence(60, **PLAIN | {"n_occlusions": 1}, speed=0.0)
    free, _ = make_tracking_sequence(60, **PLAIN, speed=0.0)
    hidden = np.array([(patch(a, boxes[0]) != patch(b, boxes[0])).mean() for a, b in zip(frames, free)])
    assert not hidden[:9].any()
    assert hidden.max() > 0.9
    assert 4 < np.count_nonzero(hidden) < 14


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_frames": 0},
        {"n_occlusions": -1},
        {"n_distractors": 0.5},
        {"speed": np.nan},
        {"scaling": 0.9},
        {"lighting": 1.1},
        {"similarity": -0.1},
        {"motion": "jump"},
        {"size": (10, 10)},
        {"target_size": (4, 4)},
        {"target_size": (300, 300)},
        {"noise": -1.0},
    ],
)
def test_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_tracking_sequence(**wrong)

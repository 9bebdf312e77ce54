"""RelatednessDisplay: the numbers that are drawn, and what is refused."""

import numpy as np
import pytest
from discovery import needs_torch, quick, tiny_points, tiny_tasks

from metricnets import LDA
from metricnets.displays import RelatednessDisplay

pytestmark = needs_torch


def test_it_draws_the_relatedness_of_the_tasks_that_are_asked_for():
    net = quick("MultiTaskNet").fit(*tiny_tasks())
    for tasks in (None, (1, 0), [1, 0]):
        display = RelatednessDisplay.from_estimator(net, tasks)
        a, b = (0, 1) if tasks is None else tasks
        np.testing.assert_array_equal(np.ravel(display.mesh_.get_array()), net.relatedness_[a, b].ravel())
        assert [text.get_text() for text in display.texts_] == [f"{p:.2f}" for p in net.relatedness_[a, b].ravel()]
        assert display.ax_.get_xlabel() == f"class of {b}"
        assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == [str(k) for k in net.classes_[a]]
    many = RelatednessDisplay(relatedness=np.eye(13), tasks=("a", "b"), classes=(range(13), range(13))).plot()
    assert many.texts_ == []


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"MultiTaskNet has no relatedness of \(0, 5\): its pairs of tasks are"):
        RelatednessDisplay.from_estimator(quick("MultiTaskNet").fit(*tiny_tasks()), (0, 5))
    with pytest.raises(ValueError, match="LDA has no relatedness of None: it has no related tasks"):
        RelatednessDisplay.from_estimator(LDA().fit(*tiny_points()))

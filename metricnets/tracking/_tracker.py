"""MetricTracker: an object followed in image sequences by a metric that is updated on line."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from metricnets._params import (
    Count,
    MaybeCount,
    MaybeMetric,
    NonNegative,
    Parametrized,
    Positive,
    Seed,
    Share,
    ZeroToOne,
    check_instance,
    fitting,
    random_state_of,
)
from metricnets.tracking._appearance import Appearance, Matcher, Projection
from metricnets.tracking._frames import check_box, check_frame, check_same_shape, check_structure
from metricnets.tracking._marginal_fisher import marginal_fisher
from metricnets.tracking._patches import geometry_of
from metricnets.tracking._samples import background, first_background, variations
from metricnets.tracking._search import Motion, best_of, windows_around

N_FIRST, N_NEW = 40, 4  # variations of the given box, and of one that is found
FIRST_SHIFT, SHIFT = 1.0, 0.5  # by which they are moved at most, in steps
FOLLOW = 0.65  # share of min_margin from which the target counts as seen
SMALLEST, LARGEST = 0.3, 3.0  # scale of the target in relation to the first frame


class MetricTracker(Parametrized):
    """Tracker of an object by a metric that is updated on line (DML tracker).

    Patches of the object and of the background are two classes, and the metric is learned to tell them apart: by
    marginal Fisher analysis, each patch is near its nearest neighbours in its class and far from those in the other.
    In each frame all windows around the predicted place are compared with templates of the object, and so are random
    particles around the best window.  A window is the more similar, the nearer it is to the templates in relation to
    the nearest background.

    The object counts as seen if the best window is better than those of all other places by a margin.  Only a clear
    margin adds templates and updates the metric; while something hides the object, nothing is learned, and a widening
    area is searched.  The patch of the first frame always stays a template, so that the tracker does not drift.

    Deviations from the paper: the metric is linear and found in closed form, where the paper trains a network of three
    layers by gradient descent; ``metric`` takes a network.  A patch is described by normalised grey levels and
    gradients.  The parameters of the search, and how occlusion is noticed, are our choice.

    Parameters
    ----------
    metric : estimator or None, default=None
        What learns the metric: an estimator with ``fit(X, y)`` and ``transform``, which is cloned.  X are features of
        patches, y is 0 for the target and 1 for the background.  None is marginal Fisher analysis.
    n_components : int >= 1, default=16
        Dimension of the embedding of marginal Fisher analysis.
    n_neighbors_within : int >= 1, default=5
        Number of neighbours k₁ of the same class.
    n_neighbors_between : int >= 1, default=10
        Number of neighbours k₂ of the other class.
    shrinkage : float in (0, 1), default=0.1
        Share of the identity in the scatter within the classes.
    n_pixels : int >= 1, default=256
        Number of pixels to which the object is scaled.
    radius : float > 0, default=1.0
        How far from the predicted place the object is searched along each axis, in sizes of the object.
    scale_step : float > 0, default=1.04
        Factor between the scales that are searched; 1 keeps the size.
    position_weight : float >= 0, default=0.1
        How much less similar a place counts at a distance of one size from the predicted one.
    first_weight : float in [0, 1], default=0.5
        Share of the distance to the first frame's patch in the distance to the templates.  A large one prevents drift,
        a small one follows changes.
    min_margin : float >= 0, default=0.2
        Margin of similarity over all other places from which a frame is learned from.  The object counts as seen from
        two thirds of it.  With another ``metric``, whose similarities are closer, it should be smaller.
    update_interval : int >= 1 or None, default=1
        Number of frames from one update to the next.  None keeps the metric and the template of the first frame.
    n_templates : int >= 1, default=10
        Number of recent frames whose patches are templates.
    n_background : int >= 1, default=150
        Number of recent patches of the background.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the variations and particles.

    Attributes
    ----------
    box_ : ndarray of shape (4,)
        Last box: x and y of the upper left corner, width and height, in pixels.
    similarity_ : float
        Similarity of the last patch to the object, in [0, 1], above 0.5 if it is nearer to it than to the background.
    margin_ : float
        Margin of this similarity over those of all other places in the last frame.
    visible_ : bool
        Whether the object was seen in the last frame.
    n_frames_ : int
        Number of frames since ``init``.

    See Also
    --------
    metricnets.datasets.make_tracking_sequence : Sequences to try it on.

    References
    ----------
    J. Hu, J. Lu, Y.-P. Tan, "Deep metric learning for visual tracking", IEEE Transactions on Circuits and Systems for
    Video Technology 2016.

    Examples
    --------
    >>> from metricnets.datasets import make_tracking_sequence
    >>> from metricnets.tracking import MetricTracker
    >>> frames, boxes = make_tracking_sequence(10, random_state=0)
    >>> tracker = MetricTracker(random_state=0).init(frames[0], boxes[0])
    >>> tracker.track(frames[1:]).shape
    (9, 4)
    """

    _documented_in = "metricnets.tracking"

    metric: MaybeMetric = None
    n_components: Count = 16
    n_neighbors_within: Count = 5
    n_neighbors_between: Count = 10
    shrinkage: Share = 0.1
    n_pixels: Count = 256
    radius: Positive = 1.0
    scale_step: Positive = 1.04
    position_weight: NonNegative = 0.1
    first_weight: ZeroToOne = 0.5
    min_margin: NonNegative = 0.2
    update_interval: MaybeCount = 1
    n_templates: Count = 10
    n_background: Count = 150
    random_state: Seed = None

    @fitting
    def init(self, frame: ArrayLike, box: ArrayLike) -> Self:
        """Begin with an object in a frame; what was followed before is forgotten.

        Parameters
        ----------
        frame : array-like of shape (height, width) or (height, width, 3)
            Grey or colour image, of integers or floats of any range.
        box : array-like of shape (4,)
            Where the object is: x and y of the upper left corner, width and height, in pixels, at least 4.  The first
            pixel is from 0 to 1.

        Returns
        -------
        self : object
            The tracker itself.

        Raises
        ------
        ValueError
            If the frame is no image of finite numbers, the box is outside of it, or has only equal pixels.
        """
        check_instance(self.metric, "metric")
        grey = check_frame(frame)
        x, y, width, height = box = check_box(box, grey.shape)
        check_structure(grey, box)
        self._unit, self._frame_shape = float(np.ptp(grey)) or 1.0, grey.shape
        self._geometry = geometry_of(np.array([height, width]), self.n_pixels)
        self._motion = Motion(np.array([y + height / 2, x + width / 2]), 1.0, np.zeros(2))
        self._seed = int(random_state_of(self.random_state).randint(2**31 - 1))
        self.n_frames_, self.similarity_, self.margin_, self.visible_ = 0, 1.0, 1.0, True
        image = (grey / self._unit).astype(np.float32)
        target = variations(image, self._geometry, self._motion, N_FIRST, FIRST_SHIFT, self._rng())
        around = first_background(image, self._geometry, self._motion.center, target[0], self.n_background, self._rng())
        self._learn(Appearance(target, target[:0], target[:0], around, around[:0]))
        return self._placed()

    @fitting
    def update(self, frame: ArrayLike) -> np.ndarray:
        """Find the object in the next frame.

        Parameters
        ----------
        frame : array-like of shape (height, width) or (height, width, 3)
            Of the size of the first one.

        Returns
        -------
        box : ndarray of shape (4,)
            x and y of the upper left corner, width and height.  While the object is not seen, where it is expected.

        Raises
        ------
        ValueError
            If the frame is no image of finite numbers, or has another size.
        NotFittedError
            Before ``init``.
        """
        if not hasattr(self, "_motion"):
            raise NotFittedError(f"this {type(self).__name__} has nothing to follow yet: call init(frame, box) first.")
        grey = check_frame(frame)
        check_same_shape(grey, self._frame_shape)
        image = (grey / self._unit).astype(np.float32)
        self.n_frames_ += 1
        motion, search = self._motion, (image, self._geometry, self._matcher)
        windows = windows_around(
            *search, motion, radius=self.radius, scale_step=self.scale_step, position_weight=self.position_weight
        )
        found = best_of(*search, windows, motion.n_lost > 0, self._rng())
        self.similarity_, self.margin_ = found.similarity, float(found.margin)
        self.visible_ = self.margin_ > FOLLOW * self.min_margin
        if self.visible_:
            self._motion = motion.seen(found.center, float(np.clip(found.scale, SMALLEST, LARGEST)))
        else:
            self._motion = motion.unseen(self._frame_shape)
        due = self.update_interval is not None and self.n_frames_ % self.update_interval == 0
        if due and self.margin_ > self.min_margin:
            around = background(windows, self._motion, self._geometry.size, self._rng())
            target = variations(image, self._geometry, self._motion, N_NEW, SHIFT, self._rng())
            self._learn(self._appearance.changed(target, around, self.n_templates, self.n_background))
        return self._placed().box_.copy()

    def track(self, frames: Iterable[ArrayLike]) -> np.ndarray:
        """Find the object in each of the next frames.

        Parameters
        ----------
        frames : iterable of array-like of shape (height, width) or (height, width, 3)
            The next frames, such as an array of shape (n_frames, height, width), or a generator.

        Returns
        -------
        boxes : ndarray of shape (n_frames, 4)
            As of ``update``.
        """
        return np.array([self.update(frame) for frame in frames]).reshape(-1, 4)

    def _rng(self):
        """Generator of the draws of a frame."""
        return np.random.default_rng([self._seed, self.n_frames_])

    def _placed(self):
        size = self._geometry.size * self._motion.scale
        self.box_ = np.concatenate([(self._motion.center - size / 2)[::-1], size[::-1]])
        return self

    def _learn(self, appearance):
        X, codes = appearance.samples()
        if self.metric is not None:
            embed = clone(self.metric).fit(X, codes).transform
        else:
            embed = Projection(
                marginal_fisher(
                    X,
                    codes,
                    n_within=self.n_neighbors_within,
                    n_between=self.n_neighbors_between,
                    n_components=self.n_components,
                    shrinkage=self.shrinkage,
                )
            )
        self._matcher, self._appearance = Matcher(embed, appearance, self.first_weight), appearance

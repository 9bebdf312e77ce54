"""MetricTracker: an object followed in image sequences by a metric that is updated on line."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from metricnets._params import Count, MaybeTransformer, Share, check_instance, fitting
from metricnets.tracking._appearance import Projection
from metricnets.tracking._base import Follower
from metricnets.tracking._frames import check_box, check_frame, check_same_shape, check_structure
from metricnets.tracking._marginal_fisher import marginal_fisher


class MetricTracker(Follower):
    """Tracker of an object by a metric that is updated on line (DML tracker).

    Patches of the object and of the background are two classes, and the metric is learned to tell them apart: by
    marginal Fisher analysis, each patch is near its nearest neighbours in its class and far from those in the other.
    In each frame all windows around the predicted place are compared with templates of the object: a window is the more
    similar, the nearer it is to the templates in relation to the nearest background.  The best one is aligned in place,
    scale and angle by a linear regression, learned from variations of the object.

    The object counts as seen if the best window is better than those of all other places by a margin.  Only a clear
    margin adds templates and updates the metric; while something hides the object, nothing is learned, and a widening
    area is searched at several scales, after a while all of the frame.  The patches of the first frame always stay, so
    that the tracker does not drift.

    Deviations from the paper: the metric is linear and found in closed form, where the paper trains a network of three
    layers by gradient descent; ``metric`` takes a network.  The best window is aligned, where the paper draws
    particles.  A patch is described by normalised grey levels and gradients, and colours if there are any, with weights
    that fall towards its border.  The parameters of the search, and how occlusion is noticed, are our choice.

    Parameters
    ----------
    metric : estimator or None, default=None
        What learns the metric: an estimator with ``fit(X, y)`` and ``transform``, which is cloned.  X are features of
        patches, y is 0 for the target and 1 for the background.  An estimator with ``warm_start=True`` goes on from the
        last update.  None is marginal Fisher analysis.
    n_components : int >= 1, default=16
        Dimension of the embedding of marginal Fisher analysis.
    n_neighbors_within : int >= 1, default=5
        Number of neighbours k₁ of the same class.
    n_neighbors_between : int >= 1, default=10
        Number of neighbours k₂ of the other class.
    shrinkage : float in (0, 1), default=0.1
        Share of the identity in the scatter within the classes.

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

    metric: MaybeTransformer = None
    n_components: Count = 16
    n_neighbors_within: Count = 5
    n_neighbors_between: Count = 10
    shrinkage: Share = 0.1

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
        planes = check_frame(frame)
        box = check_box(box, planes.shape[1:])
        check_structure(planes, box)
        self._metric = None
        self._begin(planes, box)
        return self

    @fitting
    def update(self, frame: ArrayLike) -> np.ndarray:
        """Find the object in the next frame.

        Parameters
        ----------
        frame : array-like of shape (height, width) or (height, width, 3)
            Of the size of the first one, and grey or in colour as that one.

        Returns
        -------
        box : ndarray of shape (4,)
            x and y of the upper left corner, width and height.  While the object is not seen, where it is expected.

        Raises
        ------
        ValueError
            If the frame is no image of finite numbers, has another size, or is grey where the first one is in colour.
        NotFittedError
            Before ``init``.
        """
        if not hasattr(self, "_motion"):
            raise NotFittedError(f"this {type(self).__name__} has nothing to follow yet: call init(frame, box) first.")
        planes = check_frame(frame)
        check_same_shape(planes, self._frame_shape)
        self.n_frames_ += 1
        image = self._image(planes)
        self._adapt(image, self._search(image))
        self._place()
        return self.box_.copy()

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

    def _embedding(self, X, codes):
        """Learn the metric from patches, and return its map of patches to embeddings."""
        if self.metric is not None:
            goes_on = self._metric is not None and getattr(self.metric, "warm_start", False)
            self._metric = (self._metric if goes_on else clone(self.metric)).fit(X, codes)
            return self._metric.transform
        neighbors = {"n_within": self.n_neighbors_within, "n_between": self.n_neighbors_between}
        return Projection(
            marginal_fisher(X, codes, **neighbors, n_components=self.n_components, shrinkage=self.shrinkage)
        )

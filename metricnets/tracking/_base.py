"""The steps of trackers: search for the target in a frame, and learn a metric from where it was found."""

import numpy as np

from metricnets._params import Count, MaybeCount, NonNegative, Parametrized, Positive, Seed, ZeroToOne, random_state_of
from metricnets.tracking._alignment import Alignment
from metricnets.tracking._appearance import Appearance, Matcher, Views
from metricnets.tracking._motion import Motion
from metricnets.tracking._patches import geometry_of
from metricnets.tracking._samples import background, first_background, variations
from metricnets.tracking._search import best_of, windows_around

N_FIRST, N_NEW = 30, 2  # pairs of variations of the given box, and of one that is found
FOLLOW = 0.65  # share of min_margin from which the target counts as seen
DOUBT = 0.25  # share of it that counts nothing when margins of several frames are added


class Follower(Parametrized):
    """Tracker by a metric, which is learned in ``_embedding``.

    Parameters
    ----------
    n_pixels : int >= 1, default=256
        Number of pixels to which the object is scaled.  Time and memory grow with its square, so that more than a
        thousand are slow.
    radius : float > 0, default=1.0
        How far from the predicted place the object is searched along each axis, in sizes of the object.
    scale_step : float > 0, default=1.1
        Factor between the scales at which an object that was lost is searched.
    position_weight : float >= 0, default=0.1
        How much less similar a place counts at a distance of one size from the predicted one.
    first_weight : float in [0, 1], default=0.5
        Share of the distance to the first frame's patch in the distance to the templates.  A large one prevents drift,
        a small one follows changes.
    min_margin : float >= 0, default=0.2
        Margin of similarity over all other places from which a frame is learned from.  The object counts as seen from
        two thirds of it, and from less in a place that is the best one in several frames.  With another ``metric``,
        whose similarities are closer, it should be smaller.
    update_interval : int >= 1 or None, default=1
        Number of frames that are learned from between one update of the metric and the next; templates are added with
        each of them.  None keeps the metric and the templates of the first frame.
    n_templates : int >= 1, default=10
        Number of recent frames whose patches are templates.
    n_background : int >= 1, default=150
        Number of recent patches of the background.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the variations and of the background.

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
    """

    n_pixels: Count = 256
    radius: Positive = 1.0
    scale_step: Positive = 1.1
    position_weight: NonNegative = 0.1
    first_weight: ZeroToOne = 0.5
    min_margin: NonNegative = 0.2
    update_interval: MaybeCount = 1
    n_templates: Count = 10
    n_background: Count = 150
    random_state: Seed = None

    def _begin(self, planes, box):
        """Learn from the first frame."""
        x, y, width, height = box
        self._unit, self._frame_shape = float(np.ptp(planes)) or 1.0, planes.shape
        self._geometry = geometry_of(np.array([height, width]), self.n_pixels)
        self._motion = Motion(np.array([y + height / 2, x + width / 2]), 1.0, 0.0, np.zeros(2))
        self._seed = int(random_state_of(self.random_state).randint(2**31 - 1))
        self.n_frames_, self.similarity_, self.margin_, self.visible_ = 0, 1.0, 1.0, True
        image = self._image(planes)
        target = Views(*variations(image, self._geometry, self._motion, N_FIRST, self._rng()))
        place = self._motion.center, target.features[0]
        around = first_background(image, self._geometry, *place, self.n_background, self._rng())
        appearance = Appearance(target, target.head(0), target.head(0), around, around[:0])
        self._know(appearance, self._embedding(*appearance.samples()))
        self._place()

    def _search(self, image):
        """Find the target, or expect it somewhere; returns the windows that were compared."""
        motion, search = self._motion, (image, self._geometry, self._matcher)
        options = {"radius": self.radius, "scale_step": self.scale_step, "position_weight": self.position_weight}
        windows = windows_around(*search, motion, **options)
        found = best_of(*search, self._alignment, windows, motion)
        self.similarity_, self.margin_ = float(found.similarity), float(found.margin)
        least = (1 if motion.is_sweeping else FOLLOW) * self.min_margin
        evidence = motion.evidence_for(found.center, self.margin_ - DOUBT * self.min_margin, self._geometry.size)
        self.visible_ = self.margin_ > least or evidence > least - DOUBT * self.min_margin
        if self.visible_:
            self._motion = motion.seen(found.center, found.scale, found.angle)
        else:
            self._motion = motion.unseen(self._frame_shape[1:], found.center, evidence)
        return windows

    def _adapt(self, image, windows):
        """Add what a frame shows in which the target is clear, and learn the metric again if it is time to."""
        if self.update_interval is not None and self.margin_ > self.min_margin:
            around = background(windows, self._motion, self._geometry.size, self._rng())
            target = Views(*variations(image, self._geometry, self._motion, N_NEW, self._rng()))
            appearance = self._appearance.changed(target, around, self.n_templates, self.n_background)
            due = appearance.n_changes % self.update_interval == 0
            self._know(appearance, self._embedding(*appearance.samples()) if due else self._matcher.embed)

    def _know(self, appearance, embed):
        self._matcher, self._appearance = Matcher(embed, appearance, self.first_weight), appearance
        self._alignment = Alignment(*appearance.lasting)

    def _place(self):
        size = self._geometry.size * self._motion.scale
        self.box_ = np.concatenate([(self._motion.center - size / 2)[::-1], size[::-1]])

    def _image(self, planes):
        """The frame in units of the range of the first one, in single precision."""
        return (planes / self._unit).astype(np.float32)

    def _rng(self):
        """Generator of the draws of a frame."""
        return np.random.default_rng([self._seed, self.n_frames_])

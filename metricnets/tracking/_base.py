"""The steps of a tracker: search for the target in a frame, and learn the metric from what was found."""

import numpy as np
from sklearn.base import clone

from metricnets._params import Count, MaybeCount, NonNegative, Parametrized, Positive, Seed, ZeroToOne
from metricnets.tracking._appearance import Appearance, Matcher
from metricnets.tracking._patches import geometry_of
from metricnets.tracking._samples import background, first_background, variations
from metricnets.tracking._search import Motion, best_of, windows_around

"""Tracking on made sequences: MetricTracker, with a metric that is not updated, without a metric, and by correlation.

Twenty sequences of 80 frames of 320 x 240 pixels, with seeds that were not used to choose the defaults.
"""

import argparse
import time

import numpy as np
from _tables import run, show
from scipy.ndimage import zoom
from scipy.signal import fftconvolve
from sklearn.preprocessing import FunctionTransformer

from metricnets.datasets import make_tracking_sequence
from metricnets.tracking import MetricTracker, box_overlap, center_error

NEAR, MOST = 20, 0.9  # pixels, share of the frames of a sequence
MOTIONS, TARGETS = ("circle", "sway"), ((40, 32), (32, 48), (28, 28), (56, 40))
FIRST = 100  # seed
SCALES = 0.96, 1.0, 1.04  # of the template in relation to the last frame


def sequence(seed, n_frames=80):
    """Frames and boxes of a sequence whose settings are drawn at random."""
    rng = np.random.RandomState(seed)
    return make_tracking_sequence(
        n_frames,
        motion=MOTIONS[seed % 2],
        target_size=TARGETS[seed % 4],
        speed=rng.uniform(2, 6),
        scaling=rng.uniform(1.1, 1.4),
        rotation=rng.uniform(0.1, 0.4),
        lighting=rng.uniform(0.3, 0.9),
        deformation=rng.uniform(0.3, 0.6),
        n_occlusions=rng.randint(0, 3),
        n_distractors=rng.randint(1, 5),
        similarity=rng.uniform(0.2, 0.5),
        noise=rng.uniform(3, 10),
        random_state=seed,
    )


def correlation(image, template):
    """Normalised cross-correlation of a template with all places of an image."""
    height, width = template.shape
    template = template - template.mean()

    def sums(a):
        total = np.pad(a.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
        return total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]

    variation = np.maximum(sums(image**2) - sums(image) ** 2 / template.size, 1e-6)
    return fftconvolve(image, template[::-1, ::-1], mode="valid") / np.sqrt(variation * (template**2).sum())


class Correlation:
    """Tracker by normalised cross-correlation at three scales, with a template that changes by a share of ``rate``."""

    def __init__(self, radius=1.0, rate=0.0):
        self.radius, self.rate = radius, rate

    def init(self, frame, box):
        """Take the template from the first frame."""
        x, y, self.width, self.height = box
        self.center, self.scale = np.array([y + self.height / 2, x + self.width / 2]), 1.0
        self.template = self.cut(frame.astype(float))
        return self

    def cut(self, image):
        """Cut out the patch at the last place."""
        size = np.array([self.height, self.width]) * self.scale
        low = np.clip(np.round(self.center - size / 2), 0, np.subtract(image.shape, 1)).astype(int)
        high = np.clip(np.round(self.center + size / 2), low + 1, image.shape).astype(int)
        return image[low[0] : high[0], low[1] : high[1]]

    def candidates(self, image):
        """The largest correlation, its centre and its scale, for each of the scales."""
        for scale in self.scale * np.array(SCALES):
            template = zoom(self.template, scale, order=1)
            reach = self.radius * scale * np.array([self.height, self.width]) + np.array(template.shape) / 2
            low = np.maximum(0, np.floor(self.center - reach)).astype(int)
            high = np.minimum(image.shape, np.ceil(self.center + reach)).astype(int)
            if (high - low >= template.shape).all():
                found = correlation(image[low[0] : high[0], low[1] : high[1]], template)
                place = np.unravel_index(found.argmax(), found.shape)
                yield found[place], low + place + np.array(template.shape) / 2, scale

    def update(self, frame):
        """Find the box with the largest correlation."""
        image = frame.astype(float)
        _, self.center, scale = max(self.candidates(image), default=(0, self.center, self.scale), key=lambda c: c[0])
        self.scale = float(np.clip(scale, 0.4, 2.5))
        if self.rate:
            patch = self.cut(image)
            patch = zoom(patch, np.divide(self.template.shape, patch.shape), order=1)
            self.template = (1 - self.rate) * self.template + self.rate * patch
        size = self.scale * np.array([self.width, self.height])
        return np.concatenate([self.center[::-1] - size / 2, size])


def network():
    """One layer with the objective of marginal Fisher analysis, trained by gradient descent."""
    from metricnets import DTML  # imports PyTorch

    return DTML(n_rounds=0, beta=0.0, n_components=16, max_epochs=5, random_state=0)


TRACKERS = {
    "correlation": Correlation,
    "correlation, all of the frame": lambda: Correlation(radius=100.0),
    "correlation, template updated": lambda: Correlation(rate=0.1),
    "MetricTracker": lambda: MetricTracker(random_state=0),
    "metric not updated": lambda: MetricTracker(update_interval=None, random_state=0),
    "DTML, updated every 8 frames": lambda: MetricTracker(metric=network(), update_interval=8, random_state=0),
    "no metric": lambda: MetricTracker(metric=FunctionTransformer(), min_margin=0.05, random_state=0),
}
SLOW = {"correlation, all of the frame", "no metric", "DTML, updated every 8 frames"}


def measured(_, name, seed):
    """Share of near frames, mean overlap and frames a second of a tracker on a sequence."""
    frames, boxes = sequence(seed)
    tracker, begin = TRACKERS[name]().init(frames[0], boxes[0]), time.process_time()
    found = np.array([tracker.update(frame) for frame in frames[1:]])
    seconds = time.process_time() - begin
    near = center_error(found, boxes[1:]) <= NEAR
    overlap = box_overlap(found, boxes[1:]).mean()
    return {"near": float(near.mean()), "overlap": float(overlap), "rate": len(found) / seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not used: the sequences are made")
    parser.add_argument("--quick", action="store_true", help="two sequences, without the slow trackers")
    parser.add_argument("--first", type=int, default=FIRST, help="seed of the first sequence")
    parser.add_argument("--sequences", type=int, default=20, help="number of sequences")
    parser.add_argument("--only", nargs="+", choices=[*TRACKERS], metavar="TRACKER")
    parser.add_argument("--resume", help="file that keeps finished rows")
    options = parser.parse_args()
    names, n = options.only or [*TRACKERS], 2 if options.quick else options.sequences
    rows = {}
    for name in names if not options.quick else [name for name in names if name not in SLOW]:
        cells = [(measured, None, name, seed) for seed in range(options.first, options.first + n)]
        found = run(cells, n_jobs=1, resume=options.resume)
        values = {key: np.array([each[key] for each in found]) for key in ("near", "overlap", "rate")}
        whole = np.count_nonzero(values["near"] >= MOST)
        rows[name] = [f"{values['near'].mean():.3f}", f"{values['overlap'].mean():.3f}", str(whole)]
        rows[name].append(f"{n / (1 / values['rate']).sum():.0f}")
    columns = [f"within {NEAR} pixels", "mean overlap", f"sequences with {MOST:.0%}", "frames a second"]
    show(f"Means over {n} made sequences", columns, rows)


if __name__ == "__main__":
    main()

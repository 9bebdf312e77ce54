"""Image sequences in which an object is to be followed."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from metricnets._checks import check_count, check_not_negative, check_option, check_real
from metricnets.datasets._making.scenes import CONTRAST, GREY, MOTIONS, TEXTURE, paste, path, texture

PAN = 20  # pixels by which the background moves at most
BLOBS, BACKGROUND = (2.0, 5.0), (3.0, 8.0, 20.0)  # sizes of blobs in textures, in pixels
OCCLUDER, DURATION = 1.1, 12  # size in that of the object, frames


def make_tracking_sequence(
    n_frames: int = 60,
    *,
    size: tuple[int, int] = (240, 320),
    target_size: tuple[int, int] = (40, 32),
    motion: str = "bounce",
    speed: float = 4.0,
    scaling: float = 1.3,
    rotation: float = 0.3,
    lighting: float = 0.5,
    deformation: float = 0.5,
    n_occlusions: int = 1,
    n_distractors: int = 2,
    similarity: float = 0.5,
    noise: float = 5.0,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Generate grey images of a textured object that moves before a textured background.

    The object changes its size, angle, texture and light, is covered for some frames, and others like it move around.

    Parameters
    ----------
    n_frames : int >= 1, default=60
        Number of frames.
    size : tuple of int, default=(240, 320)
        Height and width of the frames in pixels, at least 32.
    target_size : tuple of int, default=(40, 32)
        Height and width of the object in the first frame, at least 8.
    motion : {'bounce', 'walk', 'circle', 'sway'}, default='bounce'
        How the object moves: straight on and back from the borders, at random, around an ellipse, or back and forth.
    speed : float >= 0, default=4.0
        Typical distance from one frame to the next, in pixels.
    scaling : float >= 1, default=1.3
        Largest factor by which the object becomes larger or smaller.
    rotation : float >= 0, default=0.3
        Largest angle by which the texture of the object turns, in radians.
    lighting : float in [0, 1], default=0.5
        How much the brightness varies, in time for all of the frame, and in space by a shadow that moves across.
    deformation : float in [0, 1], default=0.5
        Share of another texture in that of the object, in the last frame.
    n_occlusions : int >= 0, default=1
        How often something of the size of the object moves over it, each time for 12 frames.
    n_distractors : int >= 0, default=2
        Number of other objects, which move at random behind the object.
    similarity : float in [0, 1], default=0.5
        Share of the object's texture in that of the others.
    noise : float >= 0, default=5.0
        Standard deviation of the noise of the camera, of 256 grey levels.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of all draws.

    Returns
    -------
    frames : ndarray of uint8 of shape (n_frames, height, width)
    boxes : ndarray of float of shape (n_frames, 4)
        Position of the object: x and y of the upper left corner, width and height, in pixels.  The first pixel is
        from 0 to 1.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    metricnets.tracking.MetricTracker : Follows the object.

    Examples
    --------
    >>> from metricnets.datasets import make_tracking_sequence
    >>> frames, boxes = make_tracking_sequence(10, random_state=0)
    >>> frames.shape, boxes.shape
    ((10, 240, 320), (10, 4))
    """
    check_ranges(n_frames, n_occlusions, n_distractors, speed=speed, rotation=rotation, noise=noise)
    shares = {"lighting": lighting, "deformation": deformation, "similarity": similarity}
    check_sizes_and_shares(size, target_size, scaling, motion, shares)
    rng = check_random_state(random_state)
    t, margin = np.linspace(0, 1, n_frames), 0.5 * scaling * max(target_size)
    sizes = np.array(target_size) * scaling ** np.sin(rng.choice([-6, 6]) * t)[:, None]  # almost a period
    centers = path(rng, motion, n_frames, speed, size, margin)
    first, last, *others = (texture(rng, (TEXTURE, TEXTURE), BLOBS) for _ in range(2 + n_distractors))
    objects = [(mixed(other, first, similarity), path(rng, "walk", n_frames, speed, size, margin)) for other in others]
    frames, angles = backgrounds(rng, size, t), rotation * np.sin(rng.uniform(4, 8) * t)
    covers = occluders(rng, n_frames, n_occlusions)
    for i, frame in enumerate(frames):
        for picture, places in objects:
            paste(frame, picture, places[i], np.array(target_size))
        paste(frame, mixed(first, last, deformation * t[i]), centers[i], sizes[i], angles[i])
        for picture, places in covers:
            paste(frame, picture, centers[i] + places[i] * sizes[i], OCCLUDER * sizes[i])
    frames = lit(rng, frames, lighting, t) + noise * rng.standard_normal(frames.shape)
    boxes = np.hstack([centers - sizes / 2, sizes])[:, [1, 0, 3, 2]]
    return np.clip(frames, 0, 255).astype(np.uint8), boxes


def backgrounds(rng, size, t):
    """Parts of a texture, (n_frames, height, width), as a camera sees that turns."""
    picture = texture(rng, (size[0] + 2 * PAN, size[1] + 2 * PAN), BACKGROUND)
    corners = PAN * (1 + 0.9 * np.sin(rng.uniform(0, 6, 2) + 4 * t[:, None]))
    return np.stack([picture[y : y + size[0], x : x + size[1]] for y, x in corners.astype(int)])


def check_ranges(n_frames, n_occlusions, n_distractors, **scales):
    """Raise ValueError unless the counts and scales are in their ranges."""
    check_count(n_frames=n_frames)
    for name, value in {"n_occlusions": n_occlusions, "n_distractors": n_distractors}.items():
        if not isinstance(value, Integral) or value < 0:
            raise ValueError(f"{name}={value!r} should be an integer from 0.")
    check_not_negative(**scales)


def check_sizes_and_shares(size, target_size, scaling, motion, shares):
    """Raise ValueError unless the sizes fit, and the shares are from 0 to 1."""
    check_option("motion", motion, MOTIONS)
    check_real("scaling", scaling, at_least=1)
    for name, value in shares.items():
        check_real(name, value, at_least=0, at_most=1)
    for name, pair, least in (("size", size, 32), ("target_size", target_size, 8)):
        if np.shape(pair) != (2,) or not min(pair) >= least:
            raise ValueError(f"{name}={pair!r} should be height and width, integers from {least}.")
    if scaling * max(target_size) > min(size):
        raise ValueError(f"target_size={target_size!r} times scaling={scaling} does not fit into size={size!r}.")


def mixed(a, b, share):
    """Mixture of two textures whose contrast is that of each."""
    total = (1 - share) * (a - GREY) + share * (b - GREY)
    return GREY + CONTRAST * total / total.std()


def occluders(rng, n_frames, n_occlusions):
    """Textures of what covers the object, and where it is in each frame, in units of the object, far away if not used.

    It moves across from one side to the other; the first tenth of the frames is left alone.
    """
    found = []
    for begin in np.linspace(0.15 * n_frames, n_frames, n_occlusions, endpoint=False):
        begin += rng.uniform(0, 0.4) * 0.85 * n_frames / n_occlusions
        angle, along = rng.uniform(0, 2 * np.pi), (np.arange(n_frames) - begin) / DURATION
        places = np.where((along > 0) & (along < 1), 2.4 * (along - 0.5), 1e3)
        found.append((texture(rng, (TEXTURE, TEXTURE), BLOBS), places[:, None] * [np.sin(angle), np.cos(angle)]))
    return found


def lit(rng, frames, lighting, t):
    """Vary the brightness in time, and in space by the soft edge of a shadow that moves from one side to the other."""
    width = frames.shape[2]
    x = np.arange(width) / width - rng.uniform(0.8, 1.2) * t[:, None]
    shadow = 1 - 0.6 * lighting / (1 + np.exp(20 * x))  # (n_frames, width)
    gain = 1 + 0.3 * lighting * np.sin(rng.uniform(0, 6) + rng.uniform(4, 10) * t)
    return frames * (gain[:, None] * shadow)[:, None, :]

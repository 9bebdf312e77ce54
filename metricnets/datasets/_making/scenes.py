"""Scenes of moving objects with a random texture: their textures, paths and pictures."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

GREY, CONTRAST = 128.0, 45.0  # mean and standard deviation of textures
TEXTURE = 48  # pixels along the sides of the texture of an object
FLAT = 0.8  # share of the radius of an object in which it is opaque


def texture(rng: np.random.RandomState, shape: tuple[int, int], sizes: tuple[float, ...]) -> np.ndarray:
    """Sum of white noise smoothed to blobs of several sizes in pixels, with mean `GREY` and deviation `CONTRAST`."""
    blobs = [gaussian_filter(rng.standard_normal(shape), size, mode="wrap") for size in sizes]
    total = sum(blob / blob.std() for blob in blobs)
    return GREY + CONTRAST * (total - total.mean()) / total.std()


def reflected(x: np.ndarray) -> np.ndarray:
    """Fold the line into [0, 1], as between two mirrors."""
    return 1 - np.abs(1 - x % 2)


def bounce(rng: np.random.RandomState, t: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Straight on with constant velocity, reflected at the borders."""
    angle = rng.uniform(0, 2 * np.pi)
    return rng.uniform(0.2, 0.8, 2) + t[:, None] * speed * [np.sin(angle), np.cos(angle)]


def walk(rng: np.random.RandomState, t: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """A random walk with smooth steps."""
    steps = gaussian_filter1d(rng.standard_normal((len(t), 2)), 3.0, axis=0)
    steps /= np.sqrt((steps**2).sum(axis=1).mean()) or 1.0
    return rng.uniform(0.3, 0.7, 2) + np.cumsum(speed * steps, axis=0)


def circle(rng: np.random.RandomState, t: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Around an ellipse, with constant angular velocity."""
    turn = rng.uniform(0, 2 * np.pi) + rng.choice([-1, 1]) * t * speed.mean() / 0.3
    return 0.5 + 0.3 * np.column_stack([np.sin(turn), np.cos(turn)])


def sway(rng: np.random.RandomState, t: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Back and forth along both axes, with different periods."""
    phase = rng.uniform(0, 2 * np.pi, 2)
    return 0.5 + 0.35 * np.sin(phase + t[:, None] * speed / 0.35 * rng.uniform(0.8, 1.2, 2))


MOTIONS = {"bounce": bounce, "walk": walk, "circle": circle, "sway": sway}


def path(
    rng: np.random.RandomState, motion: str, n_frames: int, speed: float, size: tuple[int, int], margin: float
) -> np.ndarray:
    """Centres (n_frames, 2) in rows and columns, which stay ``margin`` pixels away from the borders."""
    room = np.maximum(np.subtract(size, 2 * margin), 1.0)
    return margin + room * reflected(MOTIONS[motion](rng, np.arange(n_frames), speed / room))


def paste(frame: np.ndarray, picture: np.ndarray, center: np.ndarray, size: np.ndarray, angle: float = 0.0) -> None:
    """Draw an object with soft elliptical outline into a frame.

    Parameters
    ----------
    frame : ndarray of shape (height, width)
        Is changed.
    picture : ndarray of shape (TEXTURE, TEXTURE)
        Texture of the object.
    center, size : ndarrays of shape (2,)
        Centre and size of the object in the frame, rows and columns.
    angle : float
        By how much the texture is turned, in radians.
    """
    low = np.clip(np.floor(center - size / 2), 0, frame.shape).astype(int)
    high = np.clip(np.ceil(center + size / 2), 0, frame.shape).astype(int)
    part = slice(low[0], high[0]), slice(low[1], high[1])
    y, x = np.meshgrid(*(np.arange(a, b) + 0.5 for a, b in zip(low, high)), indexing="ij")
    u, v = 2 * (y - center[0]) / size[0], 2 * (x - center[1]) / size[1]  # in [-1, 1]
    turned = np.cos(angle) * u - np.sin(angle) * v, np.sin(angle) * u + np.cos(angle) * v
    places = (np.stack(turned) / np.sqrt(2) + 1) / 2 * (TEXTURE - 1)  # also the corners, turned
    opaque = np.clip((1 - (u**4 + v**4) ** 0.25) / (1 - FLAT), 0, 1)
    frame[part] += opaque * (map_coordinates(picture, places, order=1, mode="nearest") - frame[part])

"""Patches of an image at any place and scale, and their features."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter, map_coordinates

BLUR = 0.5  # standard deviation of the smoothing before an image is sampled, in units of the step
N_CHANNELS = 5
FLAT = 1e-6  # norm below which a patch has no structure, of grey levels from 0 to 1


def sampled(
    image: np.ndarray, centers: np.ndarray, steps: np.ndarray, shape: tuple[int, int], angles: float | np.ndarray = 0.0
) -> np.ndarray:
    """Sample an image on grids around centres; beyond the border it repeats the pixels of the border.

    Parameters
    ----------
    image : ndarray of shape (height, width)
    centers : ndarray of shape (n, 2)
        Rows and columns; the first pixel is from 0 to 1.
    steps : ndarray of shape (n,)
        Distances of the points of each grid in pixels, similar ones: the smallest says how much the image is smoothed.
    shape : tuple of int
        Size of a grid.
    angles : float or ndarray of shape (n,)
        By how much each grid is turned, in radians.

    Returns
    -------
    regions : ndarray of shape (n, *shape)
    """
    v, u = (np.arange(n) - (n - 1) / 2 for n in shape)
    cos, sin = ((steps * turn(angles))[:, None, None] for turn in (np.cos, np.sin))
    y = centers[:, :1, None] - 0.5 + cos * v[:, None] - sin * u  # (n, h, w)
    x = centers[:, 1:, None] - 0.5 + sin * v[:, None] + cos * u
    edge = 2 + int(3 * steps.max())
    low = [int(np.clip(places.min() - edge, 0, n - 1)) for places, n in zip((y, x), image.shape)]
    high = [int(np.clip(places.max() + edge, first + 1, n)) for places, first, n in zip((y, x), low, image.shape)]
    crop = gaussian_filter(image[low[0] : high[0], low[1] : high[1]], BLUR * steps.min(), mode="nearest", truncate=3)
    return map_coordinates(crop, [y - low[0], x - low[1]], order=1, mode="nearest")


def channels(region: np.ndarray) -> np.ndarray:
    """Grey levels and gradients to the four sides, (..., N_CHANNELS, h - 2, w - 2), of regions (..., h, w)."""
    dy = region[..., 2:, 1:-1] - region[..., :-2, 1:-1]
    dx = region[..., 1:-1, 2:] - region[..., 1:-1, :-2]
    parts = [region[..., 1:-1, 1:-1], *(np.maximum(d, 0) for d in (dy, -dy, dx, -dx))]
    return np.stack(parts, axis=-3)


def normalized(patches: np.ndarray) -> np.ndarray:
    """Features (n, d) of the channels (n, N_CHANNELS, h, w) of patches, with a norm of 1.

    Grey levels minus their mean, and gradients, are each divided by their norm, so that light has no effect.
    """
    flat = patches.reshape(len(patches), N_CHANNELS, -1)
    grey, gradients = flat[:, 0], flat[:, 1:].reshape(len(flat), -1)
    grey = grey - grey.mean(axis=1, keepdims=True)
    return np.hstack([part / (np.linalg.norm(part, axis=1, keepdims=True) + FLAT) for part in (grey, gradients)]) / 2**0.5


def windows(maps: np.ndarray, shape: tuple[int, int], stride: int) -> np.ndarray:
    """Patches (n_rows, n_columns, N_CHANNELS, h, w) of channels (N_CHANNELS, height, width) at every ``stride``-th place."""
    views = sliding_window_view(maps, shape, axis=(1, 2))[:, ::stride, ::stride]  # (channels, rows, columns, h, w)
    return np.moveaxis(views, 0, 2)

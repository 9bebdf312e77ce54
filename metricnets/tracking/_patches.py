"""Patches of an image at any place and scale, and their features."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter, map_coordinates

BLUR = 0.5  # standard deviation of the smoothing before an image is sampled, in units of the step
STRIDE = 2  # steps between windows
N_CHANNELS = 5
RAMP, BORDER = 0.4, 0.1  # share of the radius in which weights of pixels fall, and weight at the border
FLAT = 1e-3  # norm below which a patch has no structure, in units of the range of the first frame


class Geometry(NamedTuple):
    """How patches of the target are sampled: its size (2,) in pixels at scale 1, pixels per sample, samples."""

    size: np.ndarray
    step: float
    shape: tuple[int, int]


def geometry_of(size: np.ndarray, n_pixels: int) -> Geometry:
    """Return the geometry in which the target has about ``n_pixels`` samples."""
    step = float(np.sqrt(size.prod() / n_pixels))
    height, width = np.maximum(4, np.round(size / step)).astype(int)
    return Geometry(size, step, (int(height), int(width)))


def sampled(
    image: np.ndarray, centers: np.ndarray, steps: np.ndarray, shape: tuple[int, int], angles: np.ndarray, blur: float
) -> np.ndarray:
    """Sample an image on grids around centres; beyond the border it repeats the pixels of the border.

    Parameters
    ----------
    image : ndarray of shape (height, width)
    centers : ndarray of shape (n, 2)
        Rows and columns; the first pixel is from 0 to 1.
    steps : ndarray of shape (n,)
        Distances of the points of each grid in pixels.
    shape : tuple of int
        Size of a grid.
    angles : ndarray of shape (n,)
        By how much each grid is turned, in radians.
    blur : float
        Standard deviation of the smoothing in pixels: the same for all patches that are compared, as a patch that is
        smoothed more looks like one of an object that is larger.

    Returns
    -------
    regions : ndarray of float32 of shape (n, *shape)
    """
    v, u = (np.arange(n) - (n - 1) / 2 for n in shape)
    cos, sin = ((steps * part(angles))[:, None, None] for part in (np.cos, np.sin))
    y = centers[:, :1, None] - 0.5 + cos * v[:, None] - sin * u  # (n, h, w)
    x = centers[:, 1:, None] - 0.5 + sin * v[:, None] + cos * u
    edge = 2 + int(3 * blur)
    low = [int(np.clip(places.min() - edge, 0, n - 1)) for places, n in zip((y, x), image.shape)]
    high = [int(np.clip(places.max() + edge, first + 1, n)) for places, first, n in zip((y, x), low, image.shape)]
    crop = gaussian_filter(image[low[0] : high[0], low[1] : high[1]], blur, mode="nearest", truncate=3)
    return map_coordinates(crop, [y - low[0], x - low[1]], output=np.float32, order=1, mode="nearest")


def channels(region: np.ndarray) -> np.ndarray:
    """Grey levels and gradients to the four sides, (..., N_CHANNELS, h - 2, w - 2), of regions (..., h, w)."""
    dy = region[..., 2:, 1:-1] - region[..., :-2, 1:-1]
    dx = region[..., 1:-1, 2:] - region[..., 1:-1, :-2]
    parts = [region[..., 1:-1, 1:-1], *(np.maximum(d, 0) for d in (dy, -dy, dx, -dx))]
    return np.stack(parts, axis=-3)


def normalized(patches: np.ndarray) -> np.ndarray:
    """Features (n, d) of the channels (n, N_CHANNELS, h, w) of patches, which are overwritten, with a norm of 1.

    Grey levels minus their mean, and gradients, are each divided by their norm, so that light has no effect.  The
    border counts less, as it may be background.
    """
    weights = window(patches.shape[2:]).ravel()
    flat = patches.reshape(len(patches), N_CHANNELS, -1)
    flat[:, 0] -= flat[:, 0] @ (weights / weights.sum())[:, None]
    flat *= weights
    for part in flat[:, :1], flat[:, 1:]:
        part /= 2**0.5 * (np.sqrt(np.einsum("ncp,ncp->n", part, part)) + FLAT)[:, None, None]
    return flat.reshape(len(flat), -1)


@lru_cache(maxsize=8)
def window(shape: tuple[int, int]) -> np.ndarray:
    """Weights (h, w) of the pixels of a patch, which fall from 1 to `BORDER` from the middle to the inscribed ellipse."""
    v, u = (np.linspace(-1 + 1 / n, 1 - 1 / n, n) for n in shape)
    inside = np.clip((1 - np.hypot(v[:, None], u)) / RAMP, 0, 1)
    return (BORDER + (1 - BORDER) * inside).astype(np.float32)


def features_at(
    image: np.ndarray,
    geometry: Geometry,
    centers: np.ndarray,
    scales: np.ndarray,
    angles: np.ndarray,
    scale: float,
) -> np.ndarray:
    """Features (n, d) of the patches at centres (n, 2), with scales and angles (n,), smoothed as those of a scale."""
    shape = geometry.shape[0] + 2, geometry.shape[1] + 2
    return normalized(channels(sampled(image, centers, geometry.step * scales, shape, angles, BLUR * geometry.step * scale)))


def dense(
    image: np.ndarray, geometry: Geometry, center: np.ndarray, scale: float, radius: float, angle: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Features and centres of the windows around a centre, `STRIDE` steps apart.

    Parameters
    ----------
    image : ndarray of shape (height, width)
    geometry : Geometry
    center : ndarray of shape (2,)
    scale, angle : float
        Of all windows.
    radius : float
        Largest distance of their centres along each axis, in sizes of the target at scale 1; at most that of the frame.

    Returns
    -------
    features : ndarray of shape (n_windows, d)
    centers : ndarray of shape (n_windows, 2)
    """
    step = geometry.step * scale
    reach = np.minimum(radius * geometry.size, image.shape)
    n = np.maximum(1, np.round(reach / step / STRIDE)).astype(int)
    height, width = np.add(geometry.shape, 2 * n * STRIDE + 2)
    maps = channels(sampled(image, center[None], np.array([step]), (height, width), np.array([angle]), BLUR * step))[0]
    views = sliding_window_view(maps, geometry.shape, axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    patches = np.moveaxis(views, 0, 2).reshape(-1, N_CHANNELS, *geometry.shape)
    places = np.stack(np.meshgrid(*(np.arange(-k, k + 1) for k in n), indexing="ij"), axis=-1)
    return normalized(patches), center + STRIDE * step * turned(places.reshape(-1, 2), angle)


def turned(offsets: np.ndarray, angles: float | np.ndarray) -> np.ndarray:
    """Offsets (n, 2) in rows and columns of grids that are turned, as offsets in the image."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.column_stack([cos * offsets[:, 0] - sin * offsets[:, 1], sin * offsets[:, 0] + cos * offsets[:, 1]])


def apart(centers: np.ndarray, center: np.ndarray, size: np.ndarray, share: float) -> np.ndarray:
    """Whether centres (n, 2) are further from another along one of the axes than a share of a size (2,)."""
    return np.abs((centers - center) / size).max(axis=1) > share

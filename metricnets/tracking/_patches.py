"""Patches of an image at any place and scale, and their features."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import gaussian_filter, map_coordinates

BLUR = 0.5  # standard deviation of the smoothing before an image is sampled, in units of the step
STRIDE = 2  # steps between windows
N_GREY = 5  # channels of grey levels
COLOUR = 1.0  # weight of colours
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
    image : ndarray of shape (n_planes, height, width)
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
    regions : ndarray of float32 of shape (n_planes, n, *shape)
    """
    v, u = (np.arange(n) - (n - 1) / 2 for n in shape)
    cos, sin = ((steps * part(angles))[:, None, None] for part in (np.cos, np.sin))
    y = centers[:, :1, None] - 0.5 + cos * v[:, None] - sin * u  # (n, h, w)
    x = centers[:, 1:, None] - 0.5 + sin * v[:, None] + cos * u
    edge = 2 + int(3 * blur)
    low = [int(np.clip(places.min() - edge, 0, n - 1)) for places, n in zip((y, x), image.shape[1:])]
    high = [int(np.clip(places.max() + edge, first + 1, n)) for places, first, n in zip((y, x), low, image.shape[1:])]
    crops = image[:, low[0] : high[0], low[1] : high[1]]
    crops = [gaussian_filter(crop, blur, mode="nearest", truncate=3) for crop in crops]
    places = [y - low[0], x - low[1]]
    return np.stack([map_coordinates(crop, places, output=np.float32, order=1, mode="nearest") for crop in crops])


def channels(regions: np.ndarray) -> np.ndarray:
    """Channels (n, n_channels, h - 2, w - 2) of regions (n_planes, n, h, w).

    The planes, grey levels first, and before the last ones the gradients of the grey levels to the four sides.
    """
    dy = regions[0, :, 2:, 1:-1] - regions[0, :, :-2, 1:-1]
    dx = regions[0, :, 1:-1, 2:] - regions[0, :, 1:-1, :-2]
    grey, *colours = regions[:, :, 1:-1, 1:-1]
    return np.stack([grey, *(np.maximum(d, 0) for d in (dy, -dy, dx, -dx)), *colours], axis=1)


def normalized(patches: np.ndarray) -> np.ndarray:
    """Features (n, d) of the channels (n, n_channels, h, w) of patches, which are overwritten.

    Grey levels minus their mean, and gradients, are each divided by their norm, and colours by the norm of the grey
    levels with their mean, so that light has no effect.  The border counts less, as it may be background.
    """
    weights = window(patches.shape[2:]).ravel()
    flat = patches.reshape(*patches.shape[:2], -1)
    flat *= weights
    grey, gradients, colours = flat[:, :1], flat[:, 1:N_GREY], flat[:, N_GREY:]
    colours *= COLOUR / norms(grey)
    grey -= grey.sum(axis=2, keepdims=True) / weights.sum() * weights
    for part in grey, gradients:
        part /= 2**0.5 * norms(part)
    return flat.reshape(len(flat), -1)


def norms(parts: np.ndarray) -> np.ndarray:
    """Norms (n, 1, 1) of parts (n, n_channels, n_pixels), at least `FLAT`."""
    return (np.sqrt(np.einsum("ncp,ncp->n", parts, parts)) + FLAT)[:, None, None]


@lru_cache(maxsize=8)
def window(shape: tuple[int, int]) -> np.ndarray:
    """Weights (h, w) of the pixels of a patch, which fall from 1 in the middle to `BORDER` outside of the ellipse."""
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
    return normalized(
        channels(sampled(image, centers, geometry.step * scales, shape, angles, BLUR * geometry.step * scale))
    )


def dense(
    image: np.ndarray, geometry: Geometry, center: np.ndarray, scale: float, radius: float, angle: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Features and centres of the windows around a centre, `STRIDE` steps apart.

    Parameters
    ----------
    image : ndarray of shape (n_planes, height, width)
    geometry : Geometry
    center : ndarray of shape (2,)
    scale, angle : float
        Of all windows.
    radius : float
        Largest distance of their centres along each axis, in sizes of the target at scale 1; at most that of the frame
        or of the target.

    Returns
    -------
    features : ndarray of shape (n_windows, d)
    centers : ndarray of shape (n_windows, 2)
    """
    step = geometry.step * scale
    reach = np.minimum(radius * geometry.size, np.maximum(image.shape[1:], geometry.size))
    n = np.maximum(1, np.round(reach / step / STRIDE)).astype(int)
    height, width = np.add(geometry.shape, 2 * n * STRIDE + 2)
    maps = channels(sampled(image, center[None], np.array([step]), (height, width), np.array([angle]), BLUR * step))
    views = sliding_window_view(maps[0], geometry.shape, axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    patches = np.moveaxis(views, 0, 2).reshape(-1, len(views), *geometry.shape)
    places = np.stack(np.meshgrid(*(np.arange(-k, k + 1) for k in n), indexing="ij"), axis=-1)
    return normalized(patches), center + STRIDE * step * turned(places.reshape(-1, 2), angle)


def turned(offsets: np.ndarray, angles: float | np.ndarray) -> np.ndarray:
    """Offsets (n, 2) in rows and columns of grids that are turned, as offsets in the image."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.column_stack([cos * offsets[:, 0] - sin * offsets[:, 1], sin * offsets[:, 0] + cos * offsets[:, 1]])


def apart(centers: np.ndarray, center: np.ndarray, size: np.ndarray, share: float) -> np.ndarray:
    """Whether centres (n, 2) are further from another along one of the axes than a share of a size (2,)."""
    return np.abs((centers - center) / size).max(axis=1) > share

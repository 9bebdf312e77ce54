"""Descriptors of small grey images of faces: gradient histograms and local binary patterns, by scikit-image."""

import numpy as np
from sklearn.preprocessing import normalize

CELLS = (4, 6, 8, 10, 16)  # pixels
RADII = (1, 2)
CODES = 59  # uniform patterns of eight neighbours, by rotation


def skimage_feature():
    try:
        from skimage import feature
    except ImportError as error:
        raise ImportError(
            "gradient histograms need scikit-image, which is not installed: pip install scikit-image, or leave them "
            "out with --only LFW 'KinFaceW-I grey'."
        ) from error
    return feature


def grey(images):
    """Pixels minus the mean of the image, with unit norm."""
    X = images.reshape(len(images), -1).astype(float)
    return normalize(X - X.mean(axis=1, keepdims=True))


def gradients(images):
    """Histograms of oriented gradients (HOG) for cells of five sizes, each with unit norm."""
    hog = skimage_feature().hog

    def of_cells(image, c):
        return hog(image / 255.0, pixels_per_cell=(c, c), cells_per_block=(2, 2), block_norm="L2-Hys")

    return np.hstack([normalize(either_way(images, lambda image, c=c: of_cells(image, c))) for c in CELLS])


def gradients_and_patterns(images):
    """Square roots of `patterns`, those of each radius with unit norm, beside `gradients`."""
    return np.hstack([gradients(images), *(normalize(np.sqrt(P)) for P in patterns(images))])


def patterns(images):
    """Histograms of local binary patterns (LBP) in cells of eight pixels, for each radius."""
    codes_of = skimage_feature().local_binary_pattern

    def histograms(image, radius):
        codes = codes_of(image, 8, radius, method="nri_uniform").astype(int).reshape(8, 8, 8, 8).swapaxes(1, 2)
        return np.concatenate([np.bincount(cell, minlength=CODES) for cell in codes.reshape(64, 64)])

    return [either_way(images, lambda image, r=r: histograms(image, r)) for r in RADII]


def either_way(images, describe):
    """Mean of the descriptors of an image and of its mirror image."""
    return np.array([(describe(image) + describe(image[:, ::-1])) / 2 for image in images])

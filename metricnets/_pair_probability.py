"""The probability that a pair is similar, as a decreasing function of its distance."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from metricnets._pickles import Versioned
from metricnets._weights import mean_of, total_of

METHODS = ("sigmoid", "isotonic")


def check_method(method: str, prior: float | None) -> None:
    """Raise ValueError unless the method is known, and the prior a share of pairs."""
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; use one of {', '.join(METHODS)}.")
    if prior is not None and not (isinstance(prior, (int, float, np.number)) and 0 < prior < 1):
        raise ValueError(f"prior={prior!r} should be the share of similar pairs, between 0 and 1, or None.")


class PairProbability(Versioned):
    """A probability that does not increase with the distance, fitted to pairs with known labels.

    Parameters
    ----------
    curve : callable
        Takes distances, of shape (n,), and returns probabilities.
    shift : float
        What is added to the log-odds, so that the share of similar pairs is the one that is expected.
    """

    def __init__(self, curve, shift: float):
        self.curve, self.shift = curve, shift

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        """Compute the probability that pairs at these distances are similar, (n,)."""
        p = self.curve(distances)
        with np.errstate(divide="ignore"):  # isotonic probabilities may be 0 or 1, and stay so
            return expit(logit(p) + self.shift) if self.shift else p


class Sigmoid:
    """p(d) = σ(b − a d), with a ≥ 0."""

    def __init__(self, slope: float, intercept: float):
        self.slope, self.intercept = slope, intercept

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        """Compute the probabilities, (n,)."""
        return expit(self.intercept - self.slope * distances.astype(float))


class Isotonic:
    """The best decreasing step function, with linear pieces between the steps."""

    def __init__(self, regression: IsotonicRegression):
        self.regression = regression

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        """Compute the probabilities, (n,)."""
        return self.regression.predict(distances.astype(float))


def pair_probability(
    distances: np.ndarray,
    signs: np.ndarray,
    method: str = "sigmoid",
    prior: float | None = None,
    weights: np.ndarray | None = None,
) -> PairProbability:
    """Fit the probability that a pair is similar.

    Parameters
    ----------
    distances : ndarray of shape (n,)
    signs : ndarray of shape (n,)
        +1 for similar, −1 for dissimilar pairs.
    method : {'sigmoid', 'isotonic'}
    prior : float in (0, 1) or None
        The share of similar pairs to expect; None is their share here.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    probability : PairProbability
    """
    similar, distances = signs > 0, distances.astype(float)
    if method == "sigmoid":
        curve = Sigmoid(*fit_sigmoid(distances, similar, weights))
    else:
        regression = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip")
        curve = Isotonic(regression.fit(distances, similar, weights))
    return PairProbability(curve, 0.0 if prior is None else float(logit(prior) - logit(mean_of(similar, weights))))


def fit_sigmoid(distances: np.ndarray, similar: np.ndarray, weights: np.ndarray | None) -> tuple[float, float]:
    """Slope a ≥ 0 and intercept b of the largest likelihood of σ(b − a d), with Platt's smoothed targets.

    With n₁ similar and n₀ dissimilar pairs their targets are (n₁ + 1) / (n₁ + 2) and 1 / (n₀ + 2), so that a is finite
    for pairs that can be separated.
    """
    total = total_of(weights, len(similar))
    n_similar = mean_of(similar, weights) * total
    targets = np.where(similar, (n_similar + 1) / (n_similar + 2), 1 / (total - n_similar + 2))
    scale = float(np.abs(distances).max()) or 1.0
    units = distances / scale

    def objective(parameters):
        slope, intercept = parameters
        margins = intercept - slope * units
        errors = expit(margins) - targets
        loss = np.logaddexp(0, margins) - targets * margins
        return mean_of(loss, weights), np.array([-mean_of(errors * units, weights), mean_of(errors, weights)])

    bounds = [(0, None), (None, None)]
    options = {"ftol": 1e-13, "gtol": 1e-9, "maxiter": 1000}
    slope, intercept = minimize(objective, [1.0, 0.0], jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
    return float(slope / scale), float(intercept)

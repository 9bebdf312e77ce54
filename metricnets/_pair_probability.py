"""The probability that a pair is similar, as a decreasing function of its distance."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from metricnets._pickles import Versioned
from metricnets._weights import mean_of, total_of

METHODS = ("gamma", "sigmoid", "isotonic")
NEAR = 0.01  # of the mean distance, below which the logarithm of distances levels off


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


class Odds:
    """p(d) = σ(b − a d − c log(d / m + 0.01)), with a, c ≥ 0 and the mean distance m."""

    def __init__(self, slopes: np.ndarray, intercept: float, unit: float):
        self.slopes, self.intercept, self.unit = slopes, intercept, unit

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        """Compute the probabilities, (n,)."""
        return expit(self.intercept - growing(distances.astype(float) / self.unit, len(self.slopes)) @ self.slopes)


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
    method: str = "gamma",
    prior: float | None = None,
    weights: np.ndarray | None = None,
) -> PairProbability:
    """Fit the probability that a pair is similar.

    Parameters
    ----------
    distances : ndarray of shape (n,)
    signs : ndarray of shape (n,)
        +1 for similar, −1 for dissimilar pairs.
    method : {'gamma', 'sigmoid', 'isotonic'}
    prior : float in (0, 1) or None
        The share of similar pairs to expect; None is their share here.
    weights : ndarray of shape (n,) or None

    Returns
    -------
    probability : PairProbability
    """
    similar, distances = signs > 0, distances.astype(float)
    if method == "isotonic":
        regression = IsotonicRegression(y_min=0, y_max=1, increasing=False, out_of_bounds="clip")
        curve = Isotonic(regression.fit(distances, similar, weights))
    else:
        curve = fit_odds(distances, similar, weights, n_terms=2 if method == "gamma" else 1)
    return PairProbability(curve, 0.0 if prior is None else float(logit(prior) - logit(mean_of(similar, weights))))


def growing(units: np.ndarray, n_terms: int) -> np.ndarray:
    """Terms that grow with the distance, (n, n_terms): itself and its logarithm, or only itself."""
    return np.stack([units, np.log(np.maximum(units, 0) + NEAR)][:n_terms], axis=1)


def fit_odds(distances: np.ndarray, similar: np.ndarray, weights: np.ndarray | None, n_terms: int) -> Odds:
    """The log-odds of the largest likelihood, linear in one or two terms, with Platt's smoothed targets.

    With n₁ similar and n₀ dissimilar pairs their targets are (n₁ + 1) / (n₁ + 2) and 1 / (n₀ + 2), so that slopes are
    finite for pairs that can be separated.
    """
    total = total_of(weights, len(similar))
    n_similar = mean_of(similar, weights) * total
    targets = np.where(similar, (n_similar + 1) / (n_similar + 2), 1 / (total - n_similar + 2))
    largest = float(np.abs(distances).max()) or 1.0
    unit = largest * (mean_of(np.abs(distances / largest), weights) or 1.0)
    terms = growing(distances / unit, n_terms)
    scales = np.abs(terms).max(axis=0)
    scales[scales == 0] = 1
    terms /= scales

    def objective(parameters):
        margins = parameters[-1] - terms @ parameters[:-1]
        errors = expit(margins) - targets
        loss = np.logaddexp(0, margins) - targets * margins
        gradient = [-mean_of(errors * term, weights) for term in terms.T]
        return mean_of(loss, weights), np.array([*gradient, mean_of(errors, weights)])

    bounds = [(0, None)] * n_terms + [(None, None)]
    options = {"ftol": 1e-13, "gtol": 1e-9, "maxiter": 1000}
    start = np.repeat([1.0, 0.0], [1, n_terms])
    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
    return Odds(found[:-1] / scales, float(found[-1]), unit)

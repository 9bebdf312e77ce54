"""Constraints as in metric-learn."""

from scipy.special import comb

from metricnets.constraints import Constraints, wrap_pairs

__all__ = ["Constraints", "comb", "wrap_pairs"]

"""Sums over pairs of rows: which pairs count, and what they add up to."""

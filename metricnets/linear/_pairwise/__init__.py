"""Sums over pairs of rows: which pairs contribute, and their sums."""

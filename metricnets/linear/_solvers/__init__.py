"""Solvers, by their textbook names."""

"""Machinery of the makers: points with a planted metric."""

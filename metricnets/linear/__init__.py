"""Linear metric learners: NumPy and SciPy only, one file a method."""

"""The exceptions of metric-learn."""

from metricnets.exceptions import NonPSDError, PreprocessorError

__all__ = ["NonPSDError", "PreprocessorError"]

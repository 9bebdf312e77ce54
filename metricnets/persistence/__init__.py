"""Files of fitted estimators and of distances, which run no code when they are loaded.

A file holds arrays in the format of safetensors, and one text of JSON that names the classes and has everything else.
Only classes and functions of a fixed list are made from it, and those that are given to ``load``.
"""

from metricnets.persistence._files import load, save
from metricnets.persistence._onnx import to_onnx

__all__ = ["load", "save", "to_onnx"]

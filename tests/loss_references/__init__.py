"""Naive references of the losses: Python loops over pairs and triplets; and the settings they are compared in.

A module for each file of ``metricnets/losses`` has ``NAIVE``, a reference for each loss, and ``OPTIONS``, the settings
that its laws are checked for, which between them change every option.  ``NOT_OF_DISTANCES`` has losses that are no
function of the distances of embeddings, ``NOT_OF_ANY_BASIS`` those that are not even one of their inner products,
and ``NO_GRADCHECK`` those that numerical gradients cannot check, with the
reason.
"""

from importlib import import_module
from pkgutil import iter_modules

MODULES = [import_module(f"loss_references.{found.name}") for found in iter_modules(__path__) if found.name != "loops"]


def joined(table):
    """The tables of this name of all modules, as one."""
    return {key: value for module in MODULES for key, value in getattr(module, table, {}).items()}

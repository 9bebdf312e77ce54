"""Modules by the names that they have in metric-learn: ``metricnets.itml`` is ``_metric_learn/itml.py``."""

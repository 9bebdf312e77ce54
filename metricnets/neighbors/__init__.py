"""Estimators that read a learned metric, or stand beside one."""

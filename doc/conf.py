"""Configuration of Sphinx; build with ``make doc``."""

import sys
from pathlib import Path

import metricnets

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "metricnets"
author = "the metricnets developers"
copyright = "2026, the metricnets developers"
version = release = metricnets.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc", "losses_table"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": metricnets.__doc__.partition(": ")[2], "page_width": "1080px"}
html_show_sourcelink = False
html_copy_source = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
suppress_warnings = ["config.cache"]

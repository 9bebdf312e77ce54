"""Configuration of Sphinx; build with ``make doc``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import metricnets

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "metricnets"
author = "the metricnets developers"
copyright = "2026, the metricnets developers"
version = release = metricnets.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "losses_table",
    "offline_search",
    "wide_code",
]
exclude_patterns = [
    "_build",
    "api/backreferences",
    "mathjax/*-svg*",
    "mathjax/mml-*",
    "mathjax/tex-*-*",
    "mathjax/output/svg",
]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]

# API pages: one for each name that api.rst lists.
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autosummary_filename_map = {
    "metricnets.networks.mlp": "metricnets.networks.mlp-function"
}  # beside MLP, in any file system
numpydoc_show_class_members = False

# Gallery: the files examples/plot_*.py, and those of each folder there that has a GALLERY_HEADER.rst.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("metricnets",),
    "reference_url": {"metricnets": None},
    "remove_config_comments": True,
    "ignore_repr_types": r"matplotlib|'list'|'tuple'",  # what axes return is no output
    "thumbnail_size": (480, 240),
    "parallel": True,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "metricnets"
html_context = {"default_mode": "auto"}
html_static_path = ["_static", str(Path(find_spec("sphinx-mathjax-offline").origin).parent / "static")]
mathjax_path = "mathjax/tex-chtml.js"  # the pages need no network
html_css_files = ["custom.css"]
html_logo = html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_copy_source = False
html_domain_indices = False
html_use_index = False
ALONE = "index quickstart installation coming_from_metric_learn faq glossary contributing developing changelog"
html_sidebars = {page: [] for page in ALONE.split()}  # they have no pages below them to list at the side
html_theme_options = {
    "logo": {"text": "metricnets"},
    "github_url": "https://github.com/metricnets/metricnets",
    "header_links_before_dropdown": 6,
    "navigation_depth": 3,
    "show_toc_level": 2,
    "search_bar_text": "Search the documentation",
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# Only the published pages have a menu of versions: a browser does not read its file where there is no server.
published = os.environ.get("METRICNETS_DOC_URL", "")
if published:
    html_baseurl = published
    html_theme_options |= {
        "switcher": {"json_url": f"{published}/_static/switcher.json", "version_match": version},
        "check_switcher": False,
        "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    }

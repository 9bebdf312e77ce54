"""Configuration of Sphinx; build with ``make doc``."""

import inspect
import re

import metricnets

project = "metricnets"
author = "the metricnets developers"
copyright = "2026, the metricnets developers"
version = release = metricnets.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": metricnets.__doc__.partition(": ")[2], "page_width": "1080px"}
html_show_sourcelink = False
html_copy_source = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
suppress_warnings = ["config.cache"]


def setup(app):
    """Let the documentation of a class show what it inherits, before numpydoc reads it."""
    app.connect("autodoc-process-docstring", assemble, priority=100)


def assemble(app, what, name, obj, options, lines):
    """Replace the Parameters and Attributes of a class by its own and all inherited ones."""
    if what != "class" or not hasattr(obj, "_parameter_constraints"):
        return
    text = "\n".join(lines).strip()
    for title, known in (("Parameters", list(inspect.signature(obj).parameters)), ("Attributes", None)):
        text = text.replace(section(text, title), "").strip()
        entries = {}
        for ancestor in obj.__mro__:
            if ancestor.__module__.startswith("metricnets"):
                body = section(inspect.cleandoc(ancestor.__doc__ or ""), title).split("\n", 2)[2:]
                for entry in re.split(r"\n(?=\S)", "".join(body)):
                    entry_name = entry.partition(" : ")[0]
                    if entry_name and (known is None or entry_name in known):
                        entries.setdefault(entry_name, entry)
        if entries:
            text += "\n\n" + "\n".join([title, "-" * len(title), *entries.values()])
    lines[:] = text.splitlines()


def section(text, title):
    """The section of a numpydoc docstring with this title, heading and all."""
    found = re.search(rf"^{title}\n-+\n(?:(?!\n\n).)*", text, re.DOTALL | re.MULTILINE)
    return found.group() if found else ""

"""The directive ``class-methods``, the methods of a class, and docstrings of scikit-learn on our pages."""

import inspect
import re
from importlib import import_module

from sphinx.util.docutils import SphinxDirective


def public_methods(cls):
    """Names of the methods of this package and of scikit-learn: a documented call, ``fit``, and the others."""
    names = {
        name
        for name, method in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_") and (method.__module__ or "").startswith(("metricnets", "sklearn"))
    }
    if getattr(vars(cls).get("__call__"), "__doc__", ""):
        names.add("__call__")
    return sorted(names, key=lambda name: (name != "__call__", name != "fit", name))


class ClassMethods(SphinxDirective):
    """A table of the methods, and the documentation of each."""

    required_arguments = 1

    def run(self):
        """Parse the table and the methods."""
        module, name = self.arguments[0].rsplit(".", 1)
        methods = [f"{name}.{method}" for method in public_methods(getattr(import_module(module), name))]
        if not methods:
            return []
        table = [".. rubric:: Methods", "", ".. autosummary::", "", *(f"   ~{method}" for method in methods), ""]
        return self.parse_text_to_nodes("\n".join([*table, *(f".. automethod:: {method}\n" for method in methods)]))


def unlink(app, what, name, obj, options, lines):
    """Replace references to pages of scikit-learn by their text."""
    if (getattr(obj, "__module__", "") or "").startswith("sklearn"):
        text = re.sub(r":ref:`sphx_glr\w+\.py`", "scikit-learn's examples", "\n".join(lines))
        lines[:] = re.sub(r":(?:ref|term):`([^`<]+?)(?:\s*<[^`>]+>)?`", r"\1", text).split("\n")


def keep_initials(app, what, name, obj, options, lines):
    """Keep a line that begins with the initial of an author from being the first item of a list."""
    lines[:] = [re.sub(r"^(\s*)([A-Z]\. )", r"\1\\\2", line) for line in lines]


def link_sources(app, pagename, templatename, context, doctree):
    """Lead the links of the source pages to the anchors of the API pages: Sphinx knows one name of a module only."""
    if pagename.startswith("_modules/"):
        anchor = r'api/([\w.]+\.(\w+))\.html#[\w.]*\b\2((?:\.\w+)?)"'
        context["body"] = re.sub(anchor, r'api/\1.html#\1\3"', context["body"])


def setup(app):
    """Add the directive, and see to docstrings and links."""
    app.connect("html-page-context", link_sources)
    app.add_directive("class-methods", ClassMethods)
    app.connect("autodoc-process-docstring", unlink, priority=400)
    app.connect("autodoc-process-docstring", keep_initials, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The texts of all pages, for the excerpts of a search where pages are files, which a browser does not read."""

import json
from pathlib import Path


def write_texts(app, error):
    """Write the file that ``_static/offline_search.js`` loads."""
    if error is None and app.builder.format == "html":
        texts = {name: app.env.get_doctree(name).astext() for name in sorted(app.env.found_docs)}
        path = Path(app.outdir, "_static/texts.js")
        path.write_text(f"const TEXTS = {json.dumps(texts, ensure_ascii=False)};", encoding="utf-8")


def load_texts(app, pagename, templatename, context, doctree):
    """Load the script on the page of the search."""
    if pagename == "search":
        app.add_js_file("offline_search.js", priority=100)


def setup(app):
    """Take part in the build."""
    app.connect("html-page-context", load_texts)
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

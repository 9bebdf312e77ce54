"""Links of the built documentation that lead nowhere, and pages that load anything from elsewhere; part of ``make doc``."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

HTML = Path(__file__).resolve().parent / "_build/html"


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Read a tag."""
        attributes = dict(attrs)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        urls = {attributes.get("href"), attributes.get("src")} - {None, ""}
        if tag in ("script", "img", "iframe") or attributes.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads |= urls
        else:
            self.links |= urls


def wrong_links():
    """What is wrong with the links of all pages, a line each."""
    pages = {path: Page(path) for path in sorted(HTML.rglob("*.html")) if "_static" not in path.parts}
    for path, page in pages.items():
        for url in sorted(page.links | page.loads):
            file, anchor = urldefrag(url)
            if urlsplit(url).netloc or urlsplit(url).scheme:
                if url in page.loads and not url.startswith("data:"):
                    yield f"{path.relative_to(HTML)} loads {url}"
                continue
            target = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
            if not target.is_file() or (anchor and target in pages and unquote(anchor) not in pages[target].anchors):
                yield f"{path.relative_to(HTML)} links to {url}"


if __name__ == "__main__":
    found = [*wrong_links()]
    print(*found, sep="\n", end="\n" * bool(found))
    sys.exit(bool(found))

"""Open the built documentation in headless Chromium: pictures of its pages, and what is wrong with them.

Run it with ``make screenshots``, after ``make doc``.  Debian and Ubuntu have the browser in their packages ``chromium`` and
``chromium-driver``.  The pictures are in ``doc/_build/screenshots``.  It fails if a page shows TeX, scrolls sideways, reports an
error or asks for anything outside of this machine, or if a link leads nowhere.
"""

import base64
import json
import os
import shutil
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from selenium import webdriver

BUILD = Path(__file__).parent / "_build"
HTML = BUILD / "html"
PAGES = ["*.html", "user_guide/*.html", "benchmarks/*.html", "auto_examples/**/*.html"]
API = [
    "EmbeddingNet",
    "ITML",
    "LMNN",
    "base.Distance",
    "losses.ArcFace",
    "losses.triplet",
    "metric_learn.LMNN",
    "networks.MLP",
]
MOST_EXAMPLES = 6
WIDTHS = {1400: 900, 400: 800}  # and heights
TALLEST = 6000
WRONG = """
const wrong = [], root = document.documentElement, math = [...document.querySelectorAll(".math")];
if (root.scrollWidth > innerWidth) wrong.push(`scrolls sideways: ${root.scrollWidth} of ${innerWidth} pixels`);
for (const formula of math)
  if (!formula.querySelector("mjx-container") || formula.querySelector("mjx-merror")) wrong.push("TeX: " + formula.textContent);
const page = document.body.cloneNode(true);
page.querySelectorAll("pre, code, script, style, mjx-container").forEach(e => e.remove());
const tex = page.textContent.match(/\\\\[([]|\\\\[a-z]{2,}/i);
if (tex) wrong.push("TeX: " + tex[0]);
if (innerWidth > 1000)
  for (const code of document.querySelectorAll("article pre"))
    if (code.scrollWidth > code.clientWidth) note.push(code.textContent.split("\\n").reduce((a, b) => a.length > b.length ? a : b));
return [wrong, note];
"""
READY = """
const done = arguments[arguments.length - 1], math = window.MathJax?.startup?.promise ?? Promise.resolve();
math.then(() => document.fonts.ready).then(() => setTimeout(done, 50));
"""


class Links(HTMLParser):
    """The names of the anchors of a page, where its links go, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Read a tag."""
        attributes = dict(attrs)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        loads = tag in ("script", "img", "source", "iframe") or attributes.get("rel") in (
            "stylesheet",
            "preload",
            "icon",
        )
        for url in filter(None, (attributes.get("href"), attributes.get("src"))):
            (self.loads if loads else self.links).add(url)


def broken_links():
    """Links of all pages that lead to no file or anchor, and what pages load from elsewhere."""
    pages = {path.resolve(): Links(path) for path in HTML.rglob("*.html") if "_static" not in path.parts}
    for path, page in pages.items():
        for url in page.links | page.loads:
            if urlsplit(url).scheme or url.startswith("//"):
                if url in page.loads and not url.startswith("data:"):
                    yield f"{path.relative_to(HTML.resolve())} loads {url}"
                continue
            file, anchor = urldefrag(url)
            target = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
            known = target in pages and (not anchor or unquote(anchor) in pages[target].anchors)
            if not (known or (target not in pages and target.is_file())):
                yield f"{path.relative_to(HTML.resolve())} links to {url}"


def top_pages():
    """Addresses of the pages to look at, relative to the root."""
    found = [path for pattern in PAGES for path in sorted(HTML.glob(pattern))]
    found += [HTML / f"api/metricnets.{name}.html" for name in API]
    names = [path.relative_to(HTML).as_posix() for path in found]
    examples = [name for name in names if "/plot_" in name]
    return [name for name in names if name not in examples[MOST_EXAMPLES:]] + ["search.html?q=triplet"]


def browser():
    """Headless Chromium, with a log of its messages and requests."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    for argument in ("--headless=new", "--hide-scrollbars", *["--no-sandbox"] * (os.geteuid() == 0)):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def requests_elsewhere(driver):
    """URLs that pages asked for since the last call, unless they are of this machine."""
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if urlsplit(url).scheme not in ("file", "data", "blob") and urlsplit(url).hostname != "127.0.0.1":
                yield f"asks for {url}"


def picture(driver, path, width):
    """Save the whole page, or its first part."""
    height = min(TALLEST, driver.execute_script("return document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(base64.b64decode(shot["data"]))


def look(driver, root, name, theme, width):
    """Open a page in a theme at a width, save its picture, and return what is wrong and which code is wider than the page."""
    size = {"width": width, "height": WIDTHS[width], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.get(root + name)
    driver.execute_async_script(READY)
    wrong, wide = driver.execute_script("const note = [];" + WRONG)
    if driver.execute_script("return document.documentElement.dataset.theme") != theme:
        wrong.append("does not follow the theme of the system")
    wrong += [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    wrong += requests_elsewhere(driver)
    picture(
        driver,
        BUILD / "screenshots" / f"{theme}-{width}" / f"{name.partition('?')[0].replace('/', '-')[:-5]}.png",
        width,
    )
    return wrong, wide


class Quiet(SimpleHTTPRequestHandler):
    """A server without a log."""

    def log_message(self, *args):
        """Print nothing."""


def main():
    """Look at all pages; 0 if nothing is wrong."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    roots = {"files": HTML.resolve().as_uri() + "/", "server": f"http://127.0.0.1:{server.server_port}/"}
    problems, pages, wide = sorted(broken_links()), top_pages(), {}
    print(f"{len(problems)} broken links in {len(list(HTML.rglob('*.html')))} files")
    driver = browser()
    for theme in ("light", "dark"):
        for width in WIDTHS:
            for name in pages:
                # The last page is the search, of which a browser reads the excerpts from a server only.
                root = roots["server" if "?" in name else "files"]
                wrong, note = look(driver, root, name, theme, width)
                wide |= {name: note} if note else {}
                problems += [f"{name}, {theme}, {width} pixels: {problem}" for problem in wrong]
            print(f"{theme}, {width} pixels: {len(pages)} pages")
    driver.quit()
    for name, lines in wide.items():
        print(f"{name}: code that scrolls within itself at 1400 pixels", *lines, sep="\n    ")
    print(*problems, f"{len(problems)} problems", f"Pictures: {BUILD / 'screenshots'}", sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())

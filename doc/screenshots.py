"""Open the built documentation in headless Chromium: pictures of its pages, and what is wrong with them.

Run it with ``make screenshots``, after ``make doc``.  Debian and Ubuntu have the browser in their packages ``chromium``
and ``chromium-driver``.  It fails if a page shows TeX, scrolls sideways, reports an error or asks for anything that is
not on this machine, or if a link leads nowhere.
"""

import base64
import json
import os
import shutil
import sys
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from links import HTML, wrong_links
from selenium import webdriver

PICTURES = HTML.with_name("screenshots")
PAGES = ["*.html", "user_guide/*.html", "cookbook/*.html", "benchmarks/*.html", "auto_examples/**/*.html"]
API = ["EmbeddingNet", "ITML", "LMNN", "NCA", "base.Distance", "losses.ArcFace", "losses.triplet", "networks.MLP"]
WIDTHS = {1400: 900, 400: 800}  # and heights
TALLEST = 6000


def top_pages():
    """Names of the pages to look at."""
    found = [path for pattern in PAGES for path in sorted(HTML.glob(pattern))]
    names = [path.relative_to(HTML).as_posix().removesuffix(".html") for path in found]
    return names + [f"api/metricnets.{name}" for name in API]


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


def look(driver, url, theme, width, path):
    """Open a page, save its picture, and return what is wrong with it and the code and formulas that do not fit."""
    size = {"width": width, "height": WIDTHS[width], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": theme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get(url)
    found = driver.execute_async_script(Path(__file__).with_suffix(".js").read_text())
    wrong = found["wrong"] if found["theme"] == theme else [*found["wrong"], "does not follow the theme of the system"]
    wrong += [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    picture(driver, path, width)
    return [*wrong, *requests_elsewhere(driver)], found["wide"]


def look_at_all(driver, urls):
    """Look at all pages, in both themes and at both widths, and return what is wrong."""
    problems, wide = [], {}
    for theme, width in product(("light", "dark"), WIDTHS):
        for name, url in urls.items():
            path = PICTURES / f"{theme}-{width}" / f"{name.replace('/', '-')}.png"
            wrong, code = look(driver, url, theme, width, path)
            problems += [f"{name}, {theme}, {width} pixels: {problem}" for problem in wrong]
            wide |= {line: name for line in code if width > 1000}
        print(f"{theme}, {width} pixels: {len(urls)} pages")
    for line, name in wide.items():
        print(f"{name}: scrolls within itself: {line.strip()[:60]}, {len(line)} columns")
    return problems


def main():
    """Look at the documentation; 0 if nothing is wrong."""
    urls = {name: (HTML / f"{name}.html").as_uri() for name in top_pages()}
    urls["search"] += "?q=triplet"
    driver = browser()
    problems = [*wrong_links(), *look_at_all(driver, urls)]
    driver.quit()
    print(*problems, f"{len(problems)} problems; pictures in {PICTURES}", sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())

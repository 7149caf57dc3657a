"""The site in a browser: built once, strictly, and looked at without a network.

Needs Debian's packages chromium and chromium-driver, and the group ``docs``.
"""

import functools
import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import numpy as np
import pytest

import radam_optax as rx

ROOT = Path(__file__).parents[2]
NEEDED = ("sphinx", "myst_parser", "furo", "selenium", "latex2mathml", "ziamath", "matplotlib")
MISSING = [name for name in NEEDED if not importlib.util.find_spec(name)]
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(MISSING), reason=f"the group 'docs' is not installed: {', '.join(MISSING)}"),
]
in_a_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on the path"
)
PHONE, DESK = 360, 1280


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site; whatever Sphinx warns of has failed its build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "doctrees")]
    command += [str(ROOT / "docs"), str(folder / "html")]
    built = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert built.returncode == 0, built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=site)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    offline = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", offline):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def screen(browser):
    """Sets the width of the screen, and whether its user likes it light or dark."""

    def choose(width=DESK, scheme="light"):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        return browser

    choose()
    return choose


def pages_of(site):
    return sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))


class Links(HTMLParser):
    """The anchors of a page, and what it leads to and loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.targets = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        self.targets |= {found[key] for key in ("href", "src") if found.get(key) and tag != "meta"}


def test_no_link_is_dead(site):
    found = {page: Links((site / page).read_text("utf-8")) for page in pages_of(site)}
    assert len(found) > 60
    dead = []
    for page, links in found.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https"):
                alive = re.fullmatch(r"[\w.-]+\.[a-z]{2,}", parts.netloc) is not None
            elif parts.scheme:
                alive = parts.scheme == "mailto"
            else:
                path = unquote(urlsplit(urljoin(page, parts.path)).path) if parts.path else page
                path += "index.html" * path.endswith("/")
                anchor = unquote(parts.fragment)
                alive = (site / path).is_file()
                alive &= not (anchor and path in found) or anchor in found[path].anchors
            if not alive:
                dead.append(f"{page}: {target}")
    assert not dead, "\n".join(dead)


CUT_OFF = """
return [...document.querySelectorAll("svg[role=img] text")].filter(each => {
    const { x, y, width, height } = each.getBBox();
    const all = each.ownerSVGElement.viewBox.baseVal;
    return Math.min(x - all.x, y - all.y, all.x + all.width - x - width, all.y + all.height - y - height) < 0;
}).map(each => each.textContent);
"""


@in_a_browser
def test_pages_load_without_errors_and_from_nowhere_else_and_formulas_have_a_size(site, address, screen):
    browser, said, formulas = screen(), [], 0
    for page in pages_of(site):
        browser.get(address + page)
        said += [f"{page}: {entry['message']}" for entry in browser.get_log("browser")]
        loaded = browser.execute_script(
            "return performance.getEntriesByType('resource').map(each => each.name)"
        )
        said += [f"{page} loads {name}" for name in loaded if not name.startswith((address, "data:"))]
        sizes = browser.execute_script(
            "return [...document.querySelectorAll('math')].map(each => each.getBoundingClientRect())"
            ".map(({width, height}) => [width, height])"
        )
        cut = browser.execute_script(CUT_OFF)
        said += [f"{page} cuts {text!r} off" for text in cut]
        formulas += len(sizes)
        said += [f"{page} has a formula of size {size}" for size in sizes if min(size) < 4]
    assert not said, "\n".join(said)
    assert formulas > 150
    font = "document.fonts.load('16px \"STIX Two Math\"').then(found => arguments[0](found.length))"
    assert browser.execute_async_script(font)


@in_a_browser
def test_no_page_is_wider_than_a_phone(site, address, screen):
    browser, wide = screen(PHONE), []
    for page in pages_of(site):
        browser.get(address + page)
        width = browser.execute_script("return document.documentElement.scrollWidth")
        if width > PHONE:
            wide.append(f"{page}: {width}")
    assert not wide, "\n".join(wide)


def luminance(colour):
    """That of the W3C's contrast, of a color as browsers write it."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in (red, green, blue)]
    return float(np.dot((0.2126, 0.7152, 0.0722), parts))


COLOURS = """
function behind(element) {
    for (; element; element = element.parentElement) {
        const colour = getComputedStyle(element).backgroundColor;
        if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
}
const kinds = "p, li, td, th, h1, h2, a, code, figcaption, dt, dd, text, label";
return [...document.querySelectorAll(`article :is(${kinds})`)]
    .filter(each => each.getBoundingClientRect().width)
    .map(each => {
        const { color, fill } = getComputedStyle(each);
        return [each.outerHTML.slice(0, 80), each.tagName === "text" ? fill : color, behind(each)];
    });
"""


@in_a_browser
@pytest.mark.parametrize(
    "page", ["index.html", "catalogue/radam.html", "rectifier.html", "api/optimizers.html"]
)
def test_light_and_dark_differ_and_both_are_legible(page, address, screen):
    seen = {}
    for scheme in ("light", "dark"):
        browser = screen(scheme=scheme)
        browser.get(address + page)
        seen[scheme] = browser.get_screenshot_as_png()
        colours = browser.execute_script(COLOURS)
        assert len(colours) > 20
        pale = []
        for text, colour, background in colours:
            dark, light = sorted(map(luminance, (colour, background)))
            # A name at the end of a line is as large as its line is thick, and has its colour.
            if (light + 0.05) / (dark + 0.05) < (3 if text.startswith("<text") else 4.5):
                pale.append(f"{text}: {colour} on {background}")
        assert not pale, f"{scheme}\n" + "\n".join(pale)
    assert seen["light"] != seen["dark"]


def answers(browser):
    """What the page on the rectifier says, by its terms."""
    return browser.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('#rectifier-answer dt')]"
        ".map(term => [term.textContent, term.nextElementSibling.textContent]))"
    )


def choose(browser, **choices):
    for name, value in choices.items():
        browser.execute_script(
            "const control = document.getElementById(arguments[0]); control.value = arguments[1];"
            "control.dispatchEvent(new Event('input', {bubbles: true}))", name, value,
        )  # fmt: skip


@in_a_browser
@pytest.mark.parametrize("b2", [0.9, 0.999, 0.99999])
@pytest.mark.parametrize(
    ("variance", "length", "threshold"),
    [("first_order", "centre_of_mass", 5), ("exact", "variance", 2.5), ("first_order", "variance", 8)],
)
def test_the_page_on_the_rectifier_gives_the_numbers_of_the_package(
    b2, variance, length, threshold, address, screen
):
    browser = screen()
    browser.get(address + "rectifier.html")
    decays = browser.execute_script("return numbers.decays")
    choose(browser, b2=decays.index(f"{b2:.6g}"), variance=variance, length=length, threshold=threshold)
    updates = browser.execute_script("return numbers.updates")
    every = np.arange(1, 51)
    lengths = np.asarray(rx.rectification(b2, every, variance=variance, length=length).rho)
    first = every[np.argmax(lengths > threshold)]
    for t in (1, int(first), 50, 60):
        choose(browser, update=min(range(len(updates)), key=lambda i: abs(updates[i] - t)))
        at = int(browser.execute_script("return document.getElementById('update-shown').textContent"))
        rho, r = (float(x) for x in rx.rectification(b2, at, variance=variance, length=length))
        found = answers(browser)
        assert found["First rectified update"] == str(first)
        shown = re.fullmatch(r". = (\S+), (?:r = (\S+)|momentum SGD, or no update)", found[f"At update {at}"])
        assert shown
        np.testing.assert_allclose(float(shown[1]), rho, rtol=1e-3)
        assert (shown[2] is None) == (rho <= threshold)
        if shown[2]:
            np.testing.assert_allclose(float(shown[2]), r, rtol=1e-3)
    lines = browser.execute_script(
        "return [...document.querySelectorAll('#rectifier-curves svg')]"
        ".map(svg => svg.querySelectorAll('path.line').length)"
    )
    assert lines == [1, 3]


@in_a_browser
def test_the_page_on_the_rectifier_answers_to_the_keyboard(address, screen):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = screen()
    browser.get(address + "rectifier.html")
    shown = "return ['', '-answer'].map(part => document.getElementById('rectifier' + part).innerText)"
    before = browser.execute_script(shown)
    for name in ("b2", "threshold", "variance", "length", "update"):
        control = browser.find_element(By.ID, name)
        assert browser.find_element(By.CSS_SELECTOR, f"label[for={name}]").text
        control.send_keys(Keys.ARROW_DOWN if control.tag_name == "select" else Keys.ARROW_RIGHT)
        after = browser.execute_script(shown)
        assert after != before, name
        before = after

"""A real dashboard in a real Chromium. Without one the tests are skipped, or fail where CI=true."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tracking.reader import open_reader, sweeps

sys.path.insert(0, str(Path(__file__).parent))
from install import find

sys.path.pop(0)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds; a busy machine starts a service and a dashboard on one core, beside a browser."""


@pytest.fixture(scope="session")
def chromium():
    path = find()
    if path is None:
        message = "no Chromium on this machine: run `make test`, or set CHROMIUM to its path"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium):
    """`browse(dashboard, **options)` makes a browser context on a dashboard, which ends with the test."""
    made = []

    def make(dashboard, **options):
        context = chromium.new_context(base_url=dashboard.url, **options)
        context.set_default_timeout(1000 * PATIENCE)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


class Dashboard:
    """A `streamlit run app` of its own."""

    def __init__(self, uri, state, port, **environment):
        self.port = port
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "SWEEPBOARD_STATE": str(state), **environment}
        self.process = None

    def start(self, *options):
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app"), "--server.headless", "true"]
        self.process = subprocess.Popen(
            [*command, "--server.port", str(self.port), *options],
            env=self.environment,
            cwd="/",  # it must not matter where one starts it
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return self
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < end and self.process.poll() is None, "the dashboard did not start"
                time.sleep(0.1)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def served(uri, tmp_path, free_port):
    """Makes dashboards, which end with the test."""
    made = []

    def make(**environment):
        made.append(Dashboard(uri, tmp_path / "state", free_port(), **environment))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def dashboard(served):
    return served().start()


@pytest.fixture
def page(browse, dashboard):
    """The dashboard's first page; at the end nothing may have gone wrong in the browser."""
    opened = browse(dashboard, viewport={"width": 1440, "height": 900}).new_page()
    errors = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto("/")
    yield opened
    assert opened.locator("[data-testid=stException]").count() == 0 and errors == []


@pytest.fixture
def shows():
    """Wait until the page shows a text; takes a string or a regular expression."""

    def wait(page, text, seconds=PATIENCE):
        pattern = re.compile(text) if isinstance(text, str) else text
        page.get_by_text(pattern).first.wait_for(timeout=seconds * 1000)

    return wait


STILL = """() => {
 const app = document.querySelector('[data-testid=stApp]'), now = performance.now();
 const still = document.querySelector('[data-testid=stMain] h1') && !document.querySelector('[data-testid=stSkeleton]')
  && app?.getAttribute('data-test-script-state') === 'notRunning';
 if (!still) window.stillSince = undefined;
 else if (window.stillSince === undefined) window.stillSince = now;
 return still && now - window.stillSince > 500;
}"""
"""True once no script has run for half a second without a break."""


class Visitor:
    """A browser of its own on a dashboard, which notes whatever goes wrong in it."""

    def __init__(self, context):
        self.page = context.new_page()
        self.errors, self.dialogs = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def settle(self):
        """Wait until no script runs; nothing may have gone wrong until then."""
        self.page.evaluate("window.stillSince = undefined")
        self.page.wait_for_function(STILL)
        tracebacks = self.page.locator("[data-testid=stException]")
        assert tracebacks.count() == 0, tracebacks.first.inner_text()
        assert self.errors == [] and self.dialogs == []
        return self

    def open(self, address):
        self.page.goto(address)
        return self.settle()

    def says(self, text, seconds=PATIENCE):
        """Wait for a text: a string or a regular expression."""
        self.page.get_by_text(re.compile(text)).first.wait_for(timeout=seconds * 1000)
        return self

    def text(self):
        """All that the page says, without what is drawn on a canvas."""
        return self.page.locator("[data-testid=stMain]").inner_text().replace("\u2060", "")

    def fill(self, label, text):
        self.page.get_by_label(label, exact=True).first.fill(text)
        self.page.keyboard.press("Enter")
        return self.settle()

    def press(self, key):
        """Click the button of this key."""
        self.page.locator(f".st-key-{key} button").first.click()
        return self.settle()

    def unfold(self, name):
        """Open or close what lies behind a button of the page (and not of Streamlit's own header)."""
        self.page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True).first.click()
        return self.settle()

    def pick(self, label, option):
        """Choose one of the options of a list."""
        self.page.get_by_role("combobox", name=re.compile(f"{re.escape(label)}$")).first.click()
        self.page.keyboard.type(option)  # of a long list only a part is there
        self.page.get_by_role("option", name=option, exact=True).first.click()
        return self.settle()

    def choose(self, name):
        """Click one of the segments of a choice."""
        self.page.get_by_role("radio", name=name, exact=True).first.click()
        return self.settle()

    def rows(self, expected):
        """Wait until the page's first table has so many rows; 0: until there is no table."""
        self.page.wait_for_function(
            """expected => {
             const table = document.querySelector('[data-testid=stMain] [data-testid=stDataFrame]');
             const grid = table?.querySelector('table[role=grid]');
             return expected ? grid && +grid.getAttribute('aria-rowcount') === expected + 1 : !table
            }""",
            arg=expected,
        )
        return self

    def cells(self, place=0):
        """The texts of the cells of a table that are drawn, row by row."""
        grid = self.page.locator("[data-testid=stDataFrame] table[role=grid]").nth(place)
        grid.wait_for(state="attached")
        return self.page.evaluate(
            "place => [...document.querySelectorAll('[data-testid=stDataFrame] table[role=grid]')[place]"
            ".querySelectorAll('tbody tr')].map(row => [...row.children].map(cell => cell.textContent))",
            place,
        )

    def mark(self, *places):
        """Mark rows of the first table."""
        self.page.locator("[data-testid=stDataFrame] table[role=grid]").first.wait_for(state="attached")
        canvas = self.page.locator("[data-testid=stDataFrame] canvas[data-testid=data-grid-canvas]").first
        for place in places:
            # The marked rows bring buttons, which push the table down.
            canvas.scroll_into_view_if_needed()
            box = canvas.bounding_box()
            self.page.mouse.click(box["x"] + 21, box["y"] + 34 + 30 * place + 15)
            self.settle()
        return self

    def download(self, key):
        """The content of what the download button of this key hands out."""
        button = self.page.locator(f".st-key-{key} button").first
        button.scroll_into_view_if_needed()
        self.settle()
        with self.page.expect_download() as begun:
            button.click()
        content = Path(begun.value.path()).read_bytes()
        self.settle()
        return content

    def finished(self, uri, seconds=400):
        """Look elsewhere, as a person does, until the sweep of this page has finished: a page that is watched takes a
        share of the processors. Comes back to the page, and returns the sweep, the only one of its store."""
        address = self.page.url
        self.page.goto("about:blank")
        end = time.monotonic() + seconds
        (sweep,) = sweeps(open_reader(uri)).to_dict("records")
        while sweep["state"] != "finished":
            assert time.monotonic() < end, sweep
            time.sleep(0.2)
            (sweep,) = sweeps(open_reader(uri)).to_dict("records")
        self.open(address).says("^Finished$")
        return sweep


@pytest.fixture
def visit(browse):
    """`visit(dashboard)` makes visitors, whose browser must have stayed silent."""
    made = []

    def come(dashboard):
        made.append(Visitor(browse(dashboard, viewport={"width": 1440, "height": 1000})))
        return made[-1]

    yield come
    assert [error for visitor in made for error in visitor.errors + visitor.dialogs] == []


@pytest.fixture(scope="module")
def serving(free_port):
    """`serving(uri, state)`: a dashboard that runs until the module's last test."""
    made = []

    def start(uri, state):
        made.append(Dashboard(uri, state, free_port()).start())
        return made[-1]

    yield start
    for each in made:
        each.kill()

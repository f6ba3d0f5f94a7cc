"""A real dashboard in a real Chromium. Without one the tests are skipped, or fail where CI=true."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from sweeps import state_folder
from sweeps.client import Client, CommandError
from sweeps.service import lease
from sweeps.service.channel import NoService, Server, request
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
RATES = """
name: {name}
model: {{name: softmax_regression}}
data: {{name: iris, batch_size: {batch_size}}}
optimizer: {{name: sgd}}
trainer: {{max_epochs: 4}}
search: {{optimizer.lr: {{values: {rates}}}}}
seeds: {seeds}
"""
TPE = """
name: found-by-tpe
model: {name: mlp, hidden_sizes: [64]}
data: {name: digits, batch_size: 64}
trainer: {max_epochs: 2}
search:
  optimizer.name: {values: [sgd, adam]}
  optimizer.lr: {low: 0.001, high: 1.0, log: true, steps: 4}
sampler: tpe
trials: 4
pruner: median
seeds: 2
confirm: {top: 1, per: optimizer.name, seeds: 2}
"""
LABS = {
    "training-set-size": {
        "optimizer": {"name": "adam", "lr": 5.0e-2},
        "trainer": {"max_epochs": 25},
        "search": {"data.train_size": {"values": [25, 100, 800]}},
        "seeds": 3,
    },
    "decomposition": {
        "trainer": {"max_epochs": 4},
        "search": {"model.hidden_sizes": {"values": [[1, 1], [3, 3], [50, 50]]}},
        "replicate": {"datasets": 3, "inits": 2},
    },
    "decision-regions": {"search": {"regularization.l2": {"values": [0.0, 1.0e-2, 1.0e-1]}}, "seeds": 2},
    "optimizers-on-digits": {
        "search": {
            "optimizer.name": {"values": ["sgd", "momentum", "rmsprop", "adam"]},
            "optimizer.lr": {"low": 3.0e-4, "high": 3.0, "log": True, "steps": 3},
        },
        "seeds": 1,
        "confirm": {"top": 1, "per": "optimizer.name", "seeds": 2},
    },
}
"""Lab whose pages the journeys read -> the parts of it that are replaced; without a `trainer` here it has two epochs.

Fewer than three seeds, or training sets, give no intervals, and without intervals a page names no fault. A small
training set is learnt by heart only after some 20 epochs of one step.
"""


@pytest.fixture(scope="session")
def chromium():
    """`chromium(profile, **options)` starts one, which keeps in that folder what it has loaded."""
    path = find()
    if path is None:
        message = "no Chromium on this machine: run `make test`, or set CHROMIUM to its path"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield partial(playwright.chromium.launch_persistent_context, executable_path=path, args=FLAGS)


@pytest.fixture(scope="session")
def new_browser(chromium, tmp_path_factory):
    """`new_browser(dashboard)`: a browser with a new profile, which has loaded nothing of a dashboard yet."""
    browsers = []

    def make(dashboard):
        browser = chromium(tmp_path_factory.mktemp("profile"), base_url=dashboard.url)
        browsers.append(browser)
        browser.set_default_timeout(1000 * PATIENCE)
        return browser

    yield make
    for browser in browsers:
        browser.close()


@pytest.fixture(scope="session")
def browsers(new_browser):
    """`browsers(dashboard)`: the browser of all tests on a dashboard. It keeps what it has loaded and compiled, as a
    reader's does: a page that has to load Streamlit's own files takes twice the processor time."""
    by_url = {}

    def browser(dashboard):
        if dashboard.url not in by_url:
            by_url[dashboard.url] = new_browser(dashboard)
        return by_url[dashboard.url]

    return browser


@pytest.fixture
def browse(browsers):
    """`browse(dashboard, width=, height=, theme=, browser=)`: an empty page of the browser on a dashboard, or of the
    given one; it is closed after the test."""
    pages = []

    def make(dashboard, width=1440, height=1000, theme="light", browser=None):
        page = (browser or browsers(dashboard)).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        return page

    yield make
    for page in pages:
        page.close()


class Dashboard:
    """A process of `streamlit run app`."""

    def __init__(self, uri, state, folder, port, **environment):
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "SWEEPBOARD_STATE": str(state), **environment}
        self.process = None

    def start(self, *options):
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app"), "--server.headless", "true"]
        self.process = subprocess.Popen(
            [*command, "--server.port", str(self.port), *options],
            env=self.environment,
            cwd=self.folder,  # it must not matter where the user starts it
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

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def new_dashboard(free_port, namesakes):
    """`new_dashboard(uri, state, **environment)`: a dashboard that has not been started yet; none outlives the run of
    pytest."""
    dashboards = []

    def make(uri, state, **environment):
        dashboards.append(Dashboard(uri, state, namesakes, free_port(), **environment))
        return dashboards[-1]

    yield make
    for dashboard in dashboards:
        dashboard.kill()


@pytest.fixture
def served(uri, tmp_path, new_dashboard):
    """`served(**environment)`: a dashboard on an empty store of this test alone; it ends with the test."""
    dashboards = []

    def make(**environment):
        dashboards.append(new_dashboard(uri, tmp_path / "state", **environment))
        return dashboards[-1]

    yield make
    for dashboard in dashboards:
        dashboard.kill()


@pytest.fixture
def dashboard(served):
    """A dashboard on an empty store of this test alone; its first page starts a service."""
    return served().start()


@contextmanager
def hold_instead_of_a_service(uri):
    """Hold a store as a service would, and answer for its status, so that no dashboard starts a real service, which
    costs ten seconds of a processor."""
    hold = lease.Hold(state_folder.state_folder(uri))

    def answer(request):
        if request["action"] != "status":
            return {"error": f"there is no service behind this test to {request['action']}", "kind": "refused"}
        return {"pid": os.getpid(), "started": time.time(), "problem": None, "active": [], "workers": 2}

    server = Server(hold, answer)
    yield
    server.close()
    hold.release()


@pytest.fixture(scope="session")
def instead_of_a_service():
    """`with instead_of_a_service(uri)`: the store has no real service, and no dashboard starts one."""
    return hold_instead_of_a_service


@pytest.fixture
def no_service(uri):
    """The store of this test has no real service, and no dashboard starts one."""
    with hold_instead_of_a_service(uri):
        yield


@pytest.fixture
def page(browse, trained):
    """The first page of the shared dashboard; at the end nothing may have gone wrong in the browser."""
    first = browse(trained.dashboard, height=900)
    errors = []
    first.on("pageerror", lambda error: errors.append(str(error)))
    first.goto("/")
    yield first
    assert first.locator("[data-testid=stException]").count() == 0 and errors == []


@pytest.fixture
def shows():
    """`shows(page, text)`: wait until the page shows a text, a string or a regular expression."""

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


def wait_until_still(page):
    """Wait until no script has run on a page for half a second."""
    page.evaluate("window.stillSince = undefined")
    page.wait_for_function(STILL, polling=100)


@pytest.fixture
def still():
    """`still(page)`: wait until no script has run on a page for half a second."""
    return wait_until_still


class Visitor:
    """A page of a browser on a dashboard; it records the errors and dialogs of the page."""

    def __init__(self, page):
        self.page = page
        self.errors, self.dialogs = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))

    def settle(self):
        """Wait until no script runs; nothing may have gone wrong until then."""
        wait_until_still(self.page)
        tracebacks = self.page.locator("[data-testid=stException]")
        assert tracebacks.count() == 0, tracebacks.first.inner_text()
        assert self.errors == [] and self.dialogs == []
        return self

    def open(self, address):
        """Load an address, as from a link that somebody sent."""
        self.page.goto(address)
        return self.settle()

    def go(self, address):
        """Go on to a page with another heading, as by the browser's Back: that takes a third of what `open` takes."""
        heading = "document.querySelector('[data-testid=stMain] h1')?.innerText"
        here = self.page.evaluate(heading)
        self.page.evaluate(
            "address => { history.pushState({}, '', address); window.dispatchEvent(new PopStateEvent('popstate')); }",
            address,
        )
        self.page.wait_for_function(f"here => {heading} && {heading} !== here", arg=here, polling=100)
        return self.settle()

    def says(self, text, seconds=PATIENCE):
        """Wait for a text: a string or a regular expression."""
        self.page.get_by_text(re.compile(text)).first.wait_for(timeout=seconds * 1000)
        return self

    def text(self):
        """All text of the page, except what is drawn on a canvas."""
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
        """Open or close what is behind a button of the page (and not of Streamlit's own header)."""
        self.page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True).first.click()
        return self.settle()

    def pick(self, label, option):
        """Choose one of the options of a list."""
        self.page.get_by_role("combobox", name=re.compile(f"{re.escape(label)}$")).first.click()
        self.page.keyboard.type(option)  # a long list is drawn only in part
        self.page.get_by_role("option", name=option, exact=True).first.click()
        return self.settle()

    def choose(self, name):
        """Click one of the segments of a choice."""
        self.page.get_by_role("radio", name=name, exact=True).first.click()
        return self.settle()

    def rows(self, expected):
        """Wait until the first table of the page has this number of rows; 0: until there is no table."""
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
        """The content of the file that the download button of this key gives."""
        button = self.page.locator(f".st-key-{key} button").first
        button.scroll_into_view_if_needed()
        self.settle()
        with self.page.expect_download() as download:
            button.click()
        content = Path(download.value.path()).read_bytes()
        self.settle()
        return content

    def sweep(self):
        """The id of the sweep that the address names."""
        return parse_qs(urlsplit(self.page.url).query)["sweep"][0]

    def wait_for_sweep(self, uri, condition, seconds=400):
        """Wait until the row of the sweep that the address names meets a condition; returns the row."""
        return wait_for_sweep(uri, self.sweep(), condition, seconds)

    def finished(self, uri):
        """Leave the page until its sweep has finished, since a page that is watched takes a share of the processors;
        then come back. Returns the row of the sweep."""
        address, sweep = self.page.url, self.sweep()
        self.page.goto("about:blank")
        row = wait_for_sweep(uri, sweep, finished)
        self.open(address).says("^Finished$")
        return row


def wait_for_sweep(uri, sweep, condition, seconds=400):
    """Wait until the row of a sweep meets a condition; returns the row."""
    end = time.monotonic() + seconds
    while True:
        frame = sweeps(open_reader(uri))
        row = frame[frame["sweep"] == sweep].iloc[0].to_dict()
        if condition(row):
            return row
        assert time.monotonic() < end, row
        time.sleep(0.2)


def finished(row):
    """Whether the sweep of this row has trained all its runs."""
    return row["state"] == "finished"


@pytest.fixture
def visit(browse):
    """`visit(dashboard, **options)`: a visitor; at the end no page of one may have had an error or a dialog."""
    visitors = []

    def make(dashboard, **options):
        visitors.append(Visitor(browse(dashboard, **options)))
        return visitors[-1]

    yield make
    assert [error for visitor in visitors for error in visitor.errors + visitor.dialogs] == []


def over(row):
    """Whether the sweep of this row trains nothing now and will not by itself."""
    return row["state"] in ("finished", "stopped")


class Trained:
    """The store that all journeys read: its sweeps by name, the client of its service, a dashboard on it."""

    def __init__(self, folder, new_dashboard, kill_points):
        self.state = folder / "state"
        self.kill_points = kill_points(folder / "kill points")
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        points = str(self.kill_points.folder)
        self.dashboard = new_dashboard(self.uri, self.state, SWEEPBOARD_KILL_POINTS=points)
        self.client = Client(self.uri)
        self.sweeps = {}

    def environment(self, patch):
        """Set the environment in which clients in this process find the service."""
        patch.setenv("SWEEPBOARD_STATE", str(self.state))
        patch.setenv("MLFLOW_TRACKING_URI", self.uri)
        patch.setenv("SWEEPBOARD_KILL_POINTS", str(self.kill_points.folder))

    def launch(self, text):
        """Launch a sweep and note its id under its name; returns the id."""
        sweep = self.client.launch(text)
        self.sweeps[yaml.safe_load(text)["name"]] = sweep
        return sweep

    def launch_rates(self, name, *, rates, batch_size, seeds):
        """Launch a sweep of learning rates that is trained within seconds; returns its id."""
        return self.launch(RATES.format(name=name, rates=rates, batch_size=batch_size, seeds=seeds))

    def runs(self, name):
        """[run_id, "params.X", "metrics.X", ...] of the sweep of this name."""
        return open_reader(self.uri).frame(sweep=self.sweeps[name])

    def wait(self, name):
        """Wait until the sweep of this name has finished; returns it."""
        return wait_for_sweep(self.uri, self.sweeps[name], finished)

    def halt_a_worker(self, after):
        """Let a worker stop once it has sent this number of records of metrics."""
        self.kill_points.at("worker: metrics sent", after, "STOP")

    @contextmanager
    def worker_halted(self):
        """Wait until a worker has stopped; it goes on when the context ends."""
        end = time.monotonic() + PATIENCE
        while (pid := self.halted()) is None:
            assert time.monotonic() < end, "no worker has stopped"
            time.sleep(0.05)
        yield
        os.kill(pid, signal.SIGCONT)

    def halted(self):
        """The worker that has stopped, None if none has."""
        with suppress(NoService):
            status = request(state_folder.state_folder(self.uri), {"action": "status"})
            return self.kill_points.halted(status["worker_pids"])
        return None

    def rest(self):
        """Continue a stopped worker, and stop sweeps that still train: they would delay the next test."""
        self.kill_points.clear()
        if pid := self.halted():
            os.kill(pid, signal.SIGCONT)
        for sweep in sweeps(open_reader(self.uri)).to_dict("records"):
            if not over(sweep):
                with suppress(CommandError):  # it has finished in the meantime
                    self.client.stop(sweep["sweep"])
                wait_for_sweep(self.uri, sweep["sweep"], over)

    def end_service(self):
        """End the service and the processes it started; kill it if it does not end by itself."""
        holder = lease.read_lease(state_folder.state_folder(self.uri))
        self.client.shutdown()
        end = time.monotonic() + 20
        while holder and lease.born(holder.pid) == holder.born:
            if time.monotonic() > end:
                os.kill(holder.pid, signal.SIGKILL)
            time.sleep(0.1)
        for note in self.state.glob("*/mlflow-ui.json"):
            with suppress(ProcessLookupError):
                os.killpg(json.loads(note.read_text())["pid"], signal.SIGKILL)


def cut(lab):
    """A lab of LABS in YAML, cut to few epochs and seeds, under a name that no launched lab has."""
    spec = yaml.safe_load((ROOT / "labs" / f"{lab}.yaml").read_text())
    return yaml.safe_dump(spec | {"name": f"short-{lab}", "trainer": {"max_epochs": 2}} | LABS[lab], sort_keys=False)


def train(shared, browsers):
    """Start the dashboard, whose first page starts the service, and train the sweeps that the journeys read."""
    page = browsers(shared.dashboard.start()).new_page()
    Visitor(page).open("/").says("Service ready")
    page.close()
    shared.client.check(TPE)  # without an estimate there is nothing to compare with the time it took
    shared.launch(TPE)
    shared.launch_rates("rates", rates=[0.3, 0.0003], batch_size=16, seeds=8)
    shared.launch_rates("others", rates=[0.3], batch_size=64, seeds=8)
    shared.launch_rates("edited", rates=[0.1], batch_size=16, seeds=3)
    for lab in LABS:
        shared.launch(cut(lab))
    for name in shared.sweeps:
        row = shared.wait(name)
        assert row["crashed"] == 0, row


@pytest.fixture(scope="session")
def journeys(browsers, store_template, tmp_path_factory, new_dashboard, kill_points):
    """The store that all journeys read, trained once per run of pytest.

    Its service is started by the dashboard's first page, as a user's is.
    """
    folder = tmp_path_factory.mktemp("journeys")
    shutil.copy(store_template, folder / "mlflow.db")
    shared = Trained(folder, new_dashboard, kill_points)
    with pytest.MonkeyPatch.context() as patch:
        shared.environment(patch)
        try:
            train(shared, browsers)
            patch.undo()
            yield shared
        finally:
            shared.environment(patch)
            shared.dashboard.kill()  # it would start another service
            shared.end_service()


@pytest.fixture
def trained(journeys, monkeypatch):
    """The store that all journeys read, with its dashboard running even if the test before has killed it."""
    journeys.environment(monkeypatch)
    if not journeys.dashboard.alive():
        journeys.dashboard.start()
    yield journeys
    journeys.rest()


@pytest.fixture
def visitor(visit, trained):
    """A visitor of the shared dashboard."""
    return visit(trained.dashboard)


@pytest.fixture
def fits_a_phone(visit):
    """`fits_a_phone(dashboard, theme, *addresses)`: these pages are no wider than a phone, and in the theme."""

    def check(dashboard, theme, *addresses):
        visitor = visit(dashboard, width=390, height=844, theme=theme)
        for place, address in enumerate(addresses):
            page = (visitor.go(address) if place else visitor.open(address)).page
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
            assert overflow <= 0, address
            light = sum(int(part) for part in re.findall(r"\d+", colour)[:3]) > 384
            assert light == (theme == "light"), address

    return check

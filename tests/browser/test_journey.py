"""What a newcomer does, in a real browser, on runs that are really trained."""

import re
import time
from contextlib import nullcontext

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


FOUR_OPTIMIZERS = """
name: four-optimizers
model: {{name: mlp, hidden_sizes: [64]}}
data: {{name: digits, batch_size: 64}}
trainer: {{max_epochs: {epochs}}}
search:
  optimizer.name: {{values: [sgd, momentum, rmsprop, adam]}}
  optimizer.lr: {{low: 0.001, high: 1.0, log: true, steps: 2}}
seeds: 3
workers: 1
"""
"""24 runs."""


def address_of(trained, epochs):
    """Launch FOUR_OPTIMIZERS; returns the address of its page."""
    return f"/sweep?sweep={trained.client.launch(FOUR_OPTIMIZERS.format(epochs=epochs))}"


def launch_from_the_form(page, shows, **fields):
    """Fill numbers into the fields of the launch form and launch the sweep; returns its id."""
    page.goto("/launch")
    shows(page, r"96 runs")
    shows(page, r"6 seeds can decide")
    for label, number in fields.items():
        page.get_by_label(label, exact=True).first.fill(str(number))
        page.keyboard.press("Enter")
        shows(page, rf"{label}: {number}(?!\d)")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    return page.url.partition("=")[2]


def newcomers_journey(page, shows, still, runs, in_the_middle=nullcontext, **fields):
    """Launch from the form, watch, pause, resume, read off the best, come back to the overview.

    The sweep is paused in the context `in_the_middle()`.
    """
    page.get_by_role("link", name="Launch").first.click()
    page.wait_for_url("**/launch")
    sweep = launch_from_the_form(page, shows, **fields)
    shows(page, rf"Training|of {runs} runs")
    page.locator(".js-plotly-plot").first.wait_for()

    with in_the_middle():
        page.get_by_role("button", name="Pause").click()
        shows(page, re.compile("^Paus(ing|ed)$"))
    shows(page, re.compile("^Paused$"))
    page.get_by_role("button", name="Resume").click()
    shows(page, re.compile("^Running$"))
    shows(page, re.compile("^Finished$"), seconds=200)
    shows(page, r"Best.*val/loss")
    heading = page.get_by_role("heading", level=2).first.inner_text()
    assert re.search("Adam comes lower than plain gradient descent", heading), heading
    shows(page, r"leads \d+ configurations with val/loss .* \(95% t-interval, n=3\)")
    assert page.locator(".js-plotly-plot").count() >= 1

    still(page)  # a click while the page runs a last time may be lost
    page.get_by_role("link", name="Overview").first.click()
    row = page.locator(f".st-key-row-{sweep}")
    row.get_by_text(re.compile("^Finished$")).wait_for()
    row.get_by_text(f"{runs} runs").wait_for()


def test_a_newcomer_launches_watches_pauses_resumes_and_reads_off_the_best(page, trained, shows, still):
    # A worker stops in the middle, so that there is time to pause, however fast the machine is.
    trained.halt_a_worker(after=7)
    newcomers_journey(
        page, shows, still, runs=24, in_the_middle=trained.worker_halted, steps=2, seeds=3, max_epochs=2, workers=1
    )


@pytest.mark.slow
def test_a_newcomer_trains_the_first_sweep_for_twenty_four_epochs(page, shows, still):
    newcomers_journey(page, shows, still, runs=48, seeds=3, max_epochs=24)


def stop(page, shows):
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    shows(page, re.compile("^Stopped$"))


def test_the_readers_place_is_kept_while_the_page_refreshes(page, shows, trained):
    page.goto(address_of(trained, epochs=400))
    page.locator(".js-plotly-plot").first.wait_for()
    shows(page, "Ranking")
    heading = page.get_by_role("heading", name="Ranking")
    heading.evaluate("element => element.scrollIntoView({block: 'center'})")
    refreshes(page, 1)  # what was drawn after the chart has its height by then
    before = heading.bounding_box()["y"]
    assert page.locator("[data-testid=stMain]").evaluate("element => element.scrollTop") > 100
    refreshes(page, 4)  # a refresh runs a part, and where the store has changed the whole page
    assert abs(heading.bounding_box()["y"] - before) < 5
    stop(page, shows)


def refreshes(page, number):
    """Wait until the page has run again this number of times, in part or as a whole."""
    page.evaluate(
        """() => {
         window.runs = 0;
         const app = document.querySelector('[data-testid=stApp]'), state = 'data-test-script-state';
         new MutationObserver(() => { if (app.getAttribute(state) === 'notRunning') window.runs++; })
          .observe(app, {attributes: true, attributeFilter: [state]});
        }"""
    )
    page.wait_for_function("number => window.runs >= number", arg=number, polling=100)


def finishes_a_script(message):
    """Whether a message of the server says that a run of the page's script is over."""
    return ForwardMsg.FromString(message).WhichOneof("type") == "script_finished"


def test_a_browser_that_hears_late_changes_from_a_live_page_without_losing_the_next(visit, trained, shows):
    """The page's own refreshes go on until the browser hears that it has left the page."""
    visitor = visit(trained.dashboard)
    page, late = visitor.page, []
    holding = False

    def pass_on(browser):
        server = browser.connect_to_server()
        server.on_message(lambda message: late.append((browser, message)) if holding else browser.send(message))

    page.route_web_socket("**/_stcore/stream", pass_on)
    trained.halt_a_worker(after=7)
    address = address_of(trained, epochs=400)
    with trained.worker_halted():  # its training would only keep the machine busy
        for start, name in ((address, "Duplicate"), ("/", "New sweep")):
            page.goto(start)
            link = page.get_by_test_id("stMain").get_by_text(name, exact=True).first
            link.wait_for()
            if name == "Duplicate":  # with a form open, which the click on the link closes
                page.get_by_role("button", name="Extend", exact=True).click()
                page.get_by_label("More trials", exact=True).wait_for()
            holding = True
            link.click()
            end = time.monotonic() + 120
            while not any(finishes_a_script(message) for _, message in late):
                assert time.monotonic() < end, f"the next page has not been sent whole: {len(late)} messages"
                page.wait_for_timeout(100)  # Playwright calls `pass_on` only while it waits
            page.wait_for_timeout(5000)  # two refreshes of the page that was left, if the browser asks for them
            holding = False
            while late:
                browser, message = late.pop(0)
                browser.send(message)
            page.get_by_role("heading", name="New sweep").wait_for()
            visitor.settle().says(r"max_epochs: \d")
    page.goto(address)
    stop(page, shows)


def test_a_closed_browser_and_a_killed_dashboard_lose_nothing(page, trained, shows):
    trained.halt_a_worker(after=7)
    address = address_of(trained, epochs=2)
    page.goto(address)
    page.locator(".js-plotly-plot").first.wait_for()
    with trained.worker_halted():
        page.goto("about:blank")
        trained.dashboard.kill()
        trained.dashboard.start()
    page.goto(address)
    shows(page, re.compile("^Finished$"))
    shows(page, "24 of 24 runs|24 runs")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_a_phone(trained, theme, fits_a_phone):
    fits_a_phone(trained.dashboard, theme, "/", "/launch", "/sweep")


def test_a_ready_made_sweep_is_launched_by_keyboard_alone(visitor, shows):
    page = visitor.open("/").says("Ready-made").page
    page.get_by_test_id("stMain").get_by_role("button", name="Launch").first.wait_for()
    for _ in range(80):  # past the links to the sweeps of this store
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.innerText || ''")
        if "Launch" in focused and page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
    else:
        pytest.fail("no Launch button was reached by the Tab key")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sweep?sweep=*")
    shows(page, r"of \d+ runs")
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).press("Enter")
    shows(page, re.compile("^Stopped$"))


def test_markup_in_names_is_shown_as_text(page, shows, trained):
    name = "<img src=x onerror=alert(1)> **bold** [link](http://x)"
    trained.launch(
        f"name: '{name}'\nquestion: '<script>alert(2)</script> :material/home:'\nmodel: {{name: softmax_regression}}\n"
        "data: {name: iris}\ntrainer: {max_epochs: 1}\n"
    )
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto("/")
    shows(page, re.escape("<img src=x onerror=alert(1)> **bold**"))
    page.goto("/sweep")
    shows(page, re.escape("<script>alert(2)</script>"))
    assert page.locator("img[src=x]").count() == 0 and dialogs == []
    trained.wait(name)


@pytest.mark.parametrize("password", ["", "correct horse"])
def test_another_address_opens_only_with_a_password(browse, served, no_service, shows, password):
    dashboard = served(SWEEPBOARD_PASSWORD=password)
    dashboard.start("--server.address", "0.0.0.0")
    page = browse(dashboard)
    page.goto("/")
    if not password:
        shows(page, "opens only with a login")
    else:
        page.get_by_label("Password", exact=True).fill("wrong")
        page.keyboard.press("Enter")
        shows(page, "This is not the password")
        assert page.get_by_text("No sweep has been launched").count() == 0
        page.get_by_label("Password", exact=True).fill(password)
        page.keyboard.press("Enter")
        shows(page, "No sweep has been launched here yet")


def test_mlflows_own_ui_opens_at_the_sweep(page, shows, trained):
    page.goto(f"/sweep?sweep={trained.sweeps['short-decision-regions']}")
    shows(page, re.compile("^Finished$"))
    page.get_by_role("tab", name="Specification").click()
    page.get_by_role("button", name="Open in MLflow").click()
    link = page.get_by_role("link", name="This sweep in MLflow")
    link.wait_for()
    address = link.get_attribute("href")
    assert address.startswith("http://127.0.0.1:")
    page.goto(address)
    shows(page, "decision-regions")

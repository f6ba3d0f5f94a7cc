"""What a newcomer does, in a real browser, on runs that are really trained."""

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400), pytest.mark.xdist_group("browser")]


def test_a_newcomer_launches_watches_pauses_resumes_and_reads_off_the_best(page, shows):
    shows(page, "No sweep has been launched here yet")
    page.get_by_role("link", name="Launch").first.click()
    shows(page, r"48 runs")
    page.get_by_role("spinbutton", name="max_epochs").first.fill("24")
    page.keyboard.press("Enter")
    shows(page, r"max_epochs: 24")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    shows(page, "Training|of 48 runs")
    page.locator(".js-plotly-plot").first.wait_for()

    page.get_by_role("button", name="Pause").click()
    shows(page, re.compile("^Paus(ing|ed)$"))
    shows(page, re.compile("^Paused$"))
    page.get_by_role("button", name="Resume").click()
    shows(page, re.compile("^Running$"))
    shows(page, re.compile("^Finished$"), seconds=200)
    shows(page, r"Best.*val/loss")
    heading = page.get_by_role("heading", level=2).first.inner_text()
    assert re.search(r"(sgd|momentum|rmsprop|adam)", heading) and "95% t-interval, n=3" in heading, heading
    assert page.locator(".js-plotly-plot").count() >= 1

    page.get_by_role("link", name="Overview").first.click()
    shows(page, re.compile("^Finished$"))
    shows(page, r"48 runs")


def test_the_readers_place_is_kept_while_the_page_refreshes(page, shows):
    page.goto("/launch")
    shows(page, r"48 runs")
    page.get_by_role("spinbutton", name="max_epochs").first.fill("400")
    page.keyboard.press("Enter")
    shows(page, r"max_epochs: 400")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    page.locator(".js-plotly-plot").first.wait_for()
    shows(page, "Ranking")
    heading = page.get_by_role("heading", name="Ranking")
    heading.evaluate("element => element.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(1000)
    before = heading.bounding_box()["y"]
    assert page.locator("[data-testid=stMain]").evaluate("element => element.scrollTop") > 100
    page.wait_for_timeout(7000)  # three refreshes
    assert abs(heading.bounding_box()["y"] - before) < 5
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    shows(page, re.compile("^Stopped$"))


def test_a_browser_that_hears_late_changes_from_a_live_page_without_losing_the_next(visit, dashboard):
    """The page's own refreshes go on until the browser hears that it has left the page."""
    visitor = visit(dashboard)
    page, late = visitor.page, []
    holding = False

    def pass_on(browser):
        server = browser.connect_to_server()
        server.on_message(lambda message: late.append((browser, message)) if holding else browser.send(message))

    page.route_web_socket("**/_stcore/stream", pass_on)
    visitor.open("/launch").fill("max_epochs", "400")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    page.locator(".js-plotly-plot").first.wait_for()
    for address, name in ((page.url, "Duplicate"), ("/", "New sweep")):
        page.goto(address)
        link = page.get_by_test_id("stMain").get_by_text(name, exact=True).first
        link.wait_for()
        if name == "Duplicate":  # with a form open, which the click on the link closes
            page.get_by_role("button", name="Extend", exact=True).click()
            page.get_by_label("More trials", exact=True).wait_for()
        holding = True
        link.click()
        page.wait_for_timeout(5000)
        holding = False
        while late:
            browser, message = late.pop(0)
            browser.send(message)
        page.get_by_role("heading", name="New sweep").wait_for()
        visitor.settle().says(r"max_epochs: \d")


def test_a_closed_browser_and_a_killed_dashboard_lose_nothing(page, dashboard, shows):
    page.goto("/launch")
    shows(page, r"48 runs")
    page.get_by_role("spinbutton", name="max_epochs").first.fill("10")
    page.keyboard.press("Enter")
    shows(page, r"max_epochs: 10")
    page.get_by_role("button", name="Launch", exact=True).click()
    page.wait_for_url("**/sweep?sweep=*")
    address = page.url
    page.locator(".js-plotly-plot").first.wait_for()
    page.goto("about:blank")
    dashboard.kill()
    dashboard.start()
    page.goto(address)
    shows(page, re.compile("^Finished$"))
    shows(page, "48 of 48 runs|48 runs")


@pytest.mark.parametrize("path", ["", "launch", "sweep"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_a_phone(browse, dashboard, path, theme):
    page = browse(dashboard, viewport={"width": 390, "height": 844}, color_scheme=theme).new_page()
    page.goto(f"/{path}")
    page.get_by_role("heading", level=1).first.wait_for()
    page.wait_for_timeout(1000)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert overflow <= 0
    light = sum(int(part) for part in re.findall(r"\d+", colour)[:3]) > 384
    assert light == (theme == "light")


def test_a_ready_made_sweep_is_launched_by_keyboard_alone(visit, dashboard, shows):
    page = visit(dashboard).open("/").says("Ready-made sweeps").page
    page.get_by_test_id("stMain").get_by_role("button", name="Launch").first.wait_for()
    for _ in range(40):
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


def test_markup_in_names_is_shown_as_text(page, shows, uri):
    from sweeps.client import Client

    name = "<img src=x onerror=alert(1)> **bold** [link](http://x)"
    Client(uri).launch(
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


@pytest.mark.parametrize("password", ["", "correct horse"])
def test_another_address_opens_only_with_a_password(browse, served, shows, password):
    dashboard = served(SWEEPBOARD_PASSWORD=password)
    dashboard.start("--server.address", "0.0.0.0")
    page = browse(dashboard).new_page()
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


def test_mlflows_own_ui_opens_at_the_sweep(page, shows, uri):
    from sweeps.client import Client

    sweep = Client(uri).launch("name: short\nmodel: {name: softmax_regression}\ndata: {name: iris}\nseeds: 2\n")
    page.goto(f"/sweep?sweep={sweep}")
    shows(page, re.compile("^Finished$"))
    page.get_by_role("tab", name="Specification").click()
    page.get_by_role("button", name="Open in MLflow").click()
    link = page.get_by_role("link", name="This sweep in MLflow")
    link.wait_for()
    address = link.get_attribute("href")
    assert address.startswith("http://127.0.0.1:")
    page.goto(address)
    shows(page, "short")

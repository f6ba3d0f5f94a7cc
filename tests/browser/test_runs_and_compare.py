"""What a user does with runs that are really trained: filter, group, compare, judge, edit, download."""

import io
import re
import time
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pandas as pd
import pytest

from tracking import schema
from tracking.reader import open_reader

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

SEEDS = 8
"""How many the shared sweeps "rates" and "others" have."""
GRID = "[data-testid=stDataFrame]"


def test_runs_are_filtered_by_typing_and_grouped_over_seeds(visitor, trained):
    visitor.open("/runs?experiment=rates").says(rf"{2 * SEEDS} runs")
    visitor.rows(2 * SEEDS)
    visitor.fill("Filter", "params.optimizer.lr > 0.01").says(rf"{SEEDS} of {2 * SEEDS} runs")
    visitor.rows(SEEDS)
    assert "filter=params.optimizer.lr" in visitor.page.url
    address = visitor.page.url
    visitor.fill("Filter", "params.optimizer.lr >")
    assert visitor.page.get_by_role("alert").count() == 1
    visitor.open(address)
    visitor.rows(SEEDS)  # the link shows the same rows
    visitor.fill("Filter", "").choose("Groups")
    visitor.rows(2)
    assert all(any(f"{SEEDS} of {SEEDS}" in cell for cell in row) for row in visitor.cells())
    metric, better = re.search(r"Best first by ([\w/]+) \(.*(lower|higher)", visitor.text()).groups()
    means = trained.runs("rates").groupby("params.optimizer.lr")[f"metrics.{metric}"].mean()
    best = means.min() if better == "lower" else means.max()
    first = visitor.cells()[0]
    assert any(cell[:9] == f"{best:.10f}"[:9] for cell in first), (f"the best by {metric} is first", best, first)


def test_a_filter_is_made_by_clicking(visitor):
    visitor.open("/runs?experiment=rates").unfold("Add")
    visitor.pick("Column", "params.optimizer.lr").press("add-condition").says(rf"{SEEDS} of {2 * SEEDS} runs")
    visitor.rows(SEEDS)
    assert re.search(r"params\.optimizer\.lr < 0\.15", visitor.page.get_by_label("Filter", exact=True).input_value())
    assert all("0.0003" in row for row in visitor.cells())


@pytest.mark.slow
def test_order_columns_and_roles_are_kept_for_everybody(visitor, visit, trained):
    address, metric = "/runs?experiment=others", "metrics.val/loss"
    visitor.open(address).rows(SEEDS).unfold("Columns")
    visitor.pick("Sorted by", metric).choose("descending").pick("Pinned to the left", metric)
    visitor.page.keyboard.press("Escape")
    visitor.settle().press("keep-view").says("Kept with the experiment")
    other = visit(trained.dashboard)
    other.open(address).rows(SEEDS)
    expected = sorted(trained.runs("others")[metric], reverse=True)
    assert [float(row[2]) for row in other.cells()] == pytest.approx(expected), "pinned beside the name, and sorted"

    metric, part, better, guessed = roles_table(other)[1]
    assert (better, guessed) == ("lower", "guessed")
    keep = other.page.locator(".st-key-keep-roles button").first
    for _ in range(5):  # the cell's editor opens when the browser comes to it
        cell = other.page.locator(f"{GRID} canvas[data-testid=data-grid-canvas]").nth(1).bounding_box()
        other.page.mouse.dblclick(cell["x"] + 0.62 * cell["width"], cell["y"] + 36 + 35 + 17)
        other.page.keyboard.type("higher")
        other.page.keyboard.press("Enter")
        if other.settle() and keep.is_enabled():
            break
        other.page.keyboard.press("Escape")
        if not keep.is_visible():  # no editor stood open, so that Escape has closed the table
            roles_table(other)
    other.press("keep-roles").says("Kept with the experiment")
    visitor.open(address)
    assert [metric, part, "higher", "said"] in roles_table(visitor)


def roles_table(visitor):
    visitor.unfold("Metrics").page.locator(GRID).nth(1).wait_for()
    return visitor.cells(1)


def marked_rows(visitor):
    """The names of the marked rows."""
    return visitor.page.evaluate(
        f"[...document.querySelectorAll('{GRID} tbody tr[aria-selected=true]')].map(row => row.children[1].textContent)"
    )


def test_runs_follow_a_sweep_that_trains_and_marks_stay_with_their_rows(visitor, trained):
    sweep = trained.launch_rates("watched", rates=[0.1, 0.2], batch_size=4, seeds=3)
    while open_reader(trained.uri).runs(sweep=sweep).empty:
        time.sleep(0.1)
    visitor.open("/runs?experiment=watched").mark(0).says("1 run")
    (name,) = marked_rows(visitor)
    visitor.page.locator(f"{GRID} canvas").first.evaluate("element => element.setAttribute('data-first', 'yes')")
    visitor.rows(6)
    assert marked_rows(visitor) == [name]
    assert visitor.page.locator("canvas[data-first=yes]").count() == 1, "it was not drawn anew"
    trained.wait("watched")


def test_marked_groups_go_to_compare_and_get_a_verdict(visitor):
    visitor.open("/runs?experiment=rates&rows=Groups").mark(0, 1).says(r"2 groups")
    visitor.page.get_by_role("link", name="Compare").last.click()
    visitor.page.wait_for_url("**/compare?runs=*")
    visitor.settle().says("One pair")
    text = visitor.text()
    heading = visitor.page.get_by_role("heading", level=2).first.inner_text()
    assert re.search(r"0\.3.*(better|best)|best.*0\.3", heading), heading
    assert re.search(rf"t-interval -?[\d.]+ to -?[\d.]+.*exact sign-flip test p=0\.0078, n={SEEDS}", text), text
    assert not re.search(r"may be the cause", text), "nothing but the rate differs"


def test_the_guard_names_what_else_differs_between_two_sweeps(visitor, trained):
    visitor.open(f"/compare?sweep={trained.sweeps['rates']}").says("One pair")
    assert "may be the cause" not in visitor.text()
    visitor.open(f"/compare?sweep={trained.sweeps['rates']},{trained.sweeps['others']}").says("One pair")
    assert re.search(r"but also data\.batch_size: .*may be the cause", visitor.text())


def pick_baseline(visitor, place):
    """Choose one of the groups as the baseline; 0 is none."""
    visitor.page.get_by_role("combobox", name=re.compile("Baseline")).first.click()
    visitor.page.get_by_role("option").nth(place).click()
    visitor.settle()


def test_a_link_shows_the_same_comparison_in_another_browser(visitor, visit, trained, new_browser):
    visitor.open(f"/compare?sweep={trained.sweeps['rates']}").says("One pair")
    pick_baseline(visitor, 2)
    visitor.choose("linear").page.get_by_role("slider", name="Smoothing").press("ArrowRight")
    visitor.settle()
    for setting in ("baseline=", "scale=linear", "smooth=0.05"):
        assert setting in visitor.page.url, visitor.page.url
    shown, tables = visitor.text(), [visitor.cells(place) for place in range(2)]
    assert any("baseline" in row for row in tables[0])
    assert any(re.fullmatch(r"[+-][\d.]+(e-\d+)?", cell) for row in tables[0] for cell in row), "the difference"
    other = visit(trained.dashboard, browser=new_browser(trained.dashboard))
    other.open(visitor.page.url).says("One pair")
    assert other.text() == shown
    assert [other.cells(place) for place in range(2)] == tables


def test_every_figure_and_what_is_set_for_it_is_in_the_link(visitor, visit, trained):
    visitor.open(f"/compare?sweep={trained.sweeps['rates']}&scale=linear&smooth=0.5").says("One pair")
    figures = {"Parallel coordinates": "parallel", "Importance": "importance", "Curves": "curves", "Scatter": "scatter"}
    for tab, key in figures.items():
        visitor.page.get_by_role("tab", name=tab).click()
        visitor.settle().page.locator(f".st-key-{key} .js-plotly-plot").wait_for()
        assert "scale=linear" in visitor.page.url and "smooth=0.5" in visitor.page.url, f"{tab} forgets what was set"
    visitor.pick("Across", "seconds")
    assert "view=Scatter" in visitor.page.url and "across=seconds" in visitor.page.url
    other = visit(trained.dashboard)
    other.open(visitor.page.url)
    assert other.page.get_by_role("tab", name="Scatter").get_attribute("aria-selected") == "true"
    other.page.locator(".st-key-scatter .js-plotly-plot").get_by_text("seconds").first.wait_for()
    assert other.text() == visitor.text()


@pytest.mark.slow
def test_a_link_holds_every_setting(visitor, visit, trained):
    settings = {
        "metric": "val/error", "better": "higher", "best": "All", "these": "lr 0.3", "baseline": "lr 0.0003",
        "varied": "optimizer.lr", "x": "time", "scale": "linear", "smooth": "0.3", "view": "Scatter",
        "axes": "optimizer.lr", "across": "seconds", "up": "val/loss", "colour": "seed", "evaluator": "fANOVA",
        "a": "lr 0.3", "b": "lr 0.0003", "planned": "true", "margin": "0.5", "equal": "true",
    }  # fmt: skip
    visitor.open(f"/compare?{urlencode({'sweep': trained.sweeps['rates'], **settings})}").says("One pair")
    in_address = dict(parse_qsl(urlsplit(visitor.page.url).query))
    unchanged = {"best", "varied", "axes"}  # these are the defaults, which an address leaves out
    assert {name: in_address.get(name) for name in settings.keys() - unchanged} == {
        name: value for name, value in settings.items() if name not in unchanged
    }
    other = visit(trained.dashboard)
    other.open(visitor.page.url).says("One pair")
    assert other.text() == visitor.text() and "val/error" in other.text()
    assert [other.cells(place) for place in range(2)] == [visitor.cells(place) for place in range(2)]


@pytest.mark.slow
def test_the_same_runs_open_in_mlflows_own_compare_page(visitor, trained):
    visitor.open(f"/compare?sweep={trained.sweeps['edited']}").says("Ranking").press("do-mlflow")
    link = visitor.page.get_by_test_id("stMain").get_by_role("link", name=re.compile("MLflow")).first
    link.wait_for()
    address = unquote(link.get_attribute("href"))
    assert all(run in address for run in trained.runs("edited")["run_id"])
    visitor.page.goto(link.get_attribute("href"))
    visitor.page.get_by_text(re.compile(r"Comparing 3 Runs")).first.wait_for()


def test_the_downloads_hold_the_numbers_and_a_figure_for_a_document_its_caption(visitor, trained):
    visitor.open(f"/compare?sweep={trained.sweeps['rates']}").says("One pair")
    runs = pd.read_csv(io.BytesIO(visitor.download("csv-runs")), comment="#").set_index("run_id")
    stored = trained.runs("rates").set_index("run_id")
    assert sorted(runs.index) == sorted(stored.index)
    assert runs["val/loss"].to_dict() == pytest.approx(stored["metrics.val/loss"].to_dict(), rel=1e-9)
    curves = pd.read_csv(io.BytesIO(visitor.download("csv-curves")), comment="#")
    histories = open_reader(trained.uri).histories(list(stored.index), ["val/loss"])
    assert sorted(curves["val/loss"]) == pytest.approx(sorted(histories["value"]), rel=1e-9)

    visitor.press("image-curves")
    dialog = visitor.page.get_by_role("dialog")
    dialog.locator(".js-plotly-plot").wait_for()
    words = " ".join(dialog.locator(".js-plotly-plot").inner_text().split())
    assert f"n={SEEDS} seeds each" in words and "t-interval" in words and "To make it again" in words
    with visitor.page.expect_download() as download:
        dialog.locator(".modebar-btn").first.click()
    assert download.value.path().read_text().lstrip().startswith("<svg")
    dialog.get_by_role("radio", name="PNG", exact=True).click()
    dialog.locator(".st-key-document-png .modebar-btn").first.wait_for()
    with visitor.page.expect_download() as download:
        dialog.locator(".st-key-document-png .modebar-btn").first.click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_quality_says_more_than_accuracy(visitor, trained):
    visitor.open(f"/quality?sweep={trained.sweeps['rates']}").says("always answering")
    visitor.page.locator(".st-key-confusion .js-plotly-plot").wait_for()
    matrix = pd.read_csv(io.BytesIO(visitor.download("csv-confusion")), comment="#")
    assert {"setosa", "versicolor", "virginica"} <= set(matrix.astype(str).to_numpy().ravel()) | set(matrix.columns)
    visitor.page.get_by_role("tab", name="Threshold").click()
    visitor.settle().page.locator(".st-key-threshold .js-plotly-plot").wait_for()
    before = visitor.text()
    visitor.page.get_by_role("slider", name="Threshold").press("ArrowRight")
    visitor.settle()
    assert "at=0.51" in visitor.page.url and visitor.text() != before


def test_a_single_run_hands_out_its_weights_and_how_to_load_them(visitor, trained):
    import torch

    run = trained.runs("rates").iloc[0]
    visitor.open("/runs?experiment=rates").mark(0).says(r"1 run")
    visitor.page.get_by_role("link", name="Open").first.click()
    visitor.page.wait_for_url("**/run?run=*")
    visitor.open(f"/run?run={run['run_id']}").says(re.escape(schema.VAL_LOSS))
    visitor.page.get_by_role("tab", name="Files").click()
    visitor.settle()
    assert any(schema.WEIGHTS_FILE in row for row in visitor.cells())
    visitor.page.get_by_role("tab", name="Weights").click()
    visitor.settle()
    weights = torch.load(io.BytesIO(visitor.download("download-weights")), weights_only=True)
    snippet = visitor.page.locator("[data-testid=stCode]").first.inner_text()
    scope = {}
    exec(snippet, scope)  # what a reader would paste
    loaded = scope["model"].state_dict()
    assert loaded.keys() == weights.keys() and all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_runs_are_tagged_put_away_deleted_and_brought_back(visitor, trained):
    address = "/runs?experiment=edited"
    visitor.open(address).mark(0).press("edit-runs")
    visitor.page.get_by_label("Tag", exact=True).fill("figure")
    visitor.page.get_by_label("Value", exact=True).fill("three")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Save", exact=True).click()
    visitor.settle().open(f"{address}&filter=tags.figure+%3D+%27three%27").says("1 of 3 runs")
    visitor.rows(1)
    assert list(trained.runs("edited")["tags.figure"].dropna()) == ["three"]

    visitor.open(address).mark(0).press("archive").rows(2).choose("Archived").rows(1)
    visitor.mark(0).press("unarchive").rows(0).choose("Active").rows(3)

    visitor.mark(0, 1).press("delete-runs").says(r"Delete 2 runs").press("delete-not").open(address).rows(3)
    visitor.mark(0, 1).press("delete-runs").press("delete-sure").rows(1).choose("Deleted").rows(2)
    visitor.mark(0, 1).press("restore").rows(0).open(address).rows(3)

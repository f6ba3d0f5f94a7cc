"""One journey over a small network of each kind of data: tokens to a class, a language model, a pair of sequences, a
graph, several labels. All are trained on the shared store; their pages are read."""

import math
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import yaml

from tracking.reader import open_reader

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
EXPERIMENT = "members"
"""Of the sweeps that the fixture launches."""
STUDIES = {"bias_variance": "Diagnosis", "optimizers": "Curves", "regularization": "Strength"}
"""Study page -> the tab that it opens with."""
SENTENCE = re.compile(r"[A-Z]\w+( \w+){4}.*\.")
"""A sentence of five words or more."""


@dataclass(frozen=True)
class Member:
    """What is trained, and what its pages have to show."""

    name: str
    parts: dict[str, object]
    """`model`, `data`, `trainer` of its sweep."""
    metric: str
    """What its runs are ranked by."""
    better: str
    selectable: tuple[str, ...]
    """Scores that can be drawn on its sweep's page."""
    task: str
    """In the words of the pages."""

    def yaml(self):
        """Its sweep: two learning rates, one run each."""
        direction = "maximize" if self.better == "higher" else "minimize"
        return yaml.safe_dump(
            {
                "name": self.name,
                "experiment": EXPERIMENT,
                **self.parts,
                "optimizer": {"name": "adam"},
                "search": {"optimizer.lr": {"values": [0.0001, 0.03]}},
                "objective": {"metric": self.metric, "direction": direction},
                "seeds": 1,
            },
            sort_keys=False,
        )


FORM = Member("gru-on-parity", {}, "val/loss", "lower", ("val/error",), "two classes")
"""Launched from the form."""
LANGUAGE_MODEL = Member(
    "rnn-lm-on-text-file",
    {
        "model": {"name": "rnn_lm", "embedding_size": 8, "hidden_size": 16},
        "data": {"name": "text_file", "context": 32, "train_size": 128, "batch_size": 16},
        "trainer": {"max_epochs": 4},
    },
    "val/perplexity",
    "lower",
    ("val/perplexity", "val/bits_per_character"),
    "a language model",
)
PAIRS = Member(
    "seq2seq-on-reverse",
    {
        "model": {"name": "seq2seq", "embedding_size": 16, "hidden_size": 32},
        "data": {"name": "reverse", "max_length": 4, "num_samples": 600, "batch_size": 16},
        "trainer": {"max_epochs": 4},
    },
    "val/exact_match",
    "higher",
    ("val/exact_match", "val/perplexity"),
    "one sequence into another",
)
GRAPH = Member(
    "gcn-on-karate-club",
    {
        "model": {"name": "gcn", "hidden_sizes": [8]},
        "data": {"name": "karate_club"},
        "trainer": {"max_epochs": 10},
    },
    "val/loss",
    "lower",
    ("val/error",),
    "classes of nodes",
)
LABELS = Member(
    "mlp-on-label-sets",
    {
        "model": {"name": "mlp", "hidden_sizes": [8]},
        "data": {"name": "label_sets", "num_samples": 100, "batch_size": 16},
        "trainer": {"max_epochs": 5},
    },
    "val/f1_macro",
    "higher",
    ("val/f1_macro", "val/f1_micro"),
    "several labels",
)
LAUNCHED = (LANGUAGE_MODEL, PAIRS, GRAPH, LABELS)


@pytest.fixture(scope="module")
def members(journeys):
    """The shared store, in which the sweeps of LAUNCHED have been trained."""
    with pytest.MonkeyPatch.context() as patch:
        journeys.environment(patch)
        for member in LAUNCHED:
            journeys.launch(member.yaml())
        for member in LAUNCHED:
            row = journeys.wait(member.name)
            assert row["ok"] == row["planned"] == 2, row
    return journeys


def choose_in(visitor, key, option):
    """Choose one of the options of the list of this key."""
    visitor.page.locator(f".st-key-{key}").get_by_role("combobox").click()
    visitor.page.keyboard.type(option)  # a long list is drawn only in part
    visitor.page.get_by_role("option", name=option, exact=True).first.click()
    visitor.settle()


def launch_from_the_form(visitor, uri):
    """Launch FORM by clicking: other data, the network that fits them, two rates of one optimizer; returns its id."""
    visitor.open("/launch").press("icon-fix-f0-optimizer-name")
    choose_in(visitor, "f0-data-name", "parity")
    choose_in(visitor, "f0-model-name", "gru")
    choose_in(visitor, "f0-optimizer-name", "adam")
    visitor.says(r"Not offered for parity \(two classes\):")
    for label, number in {"name": FORM.name, "steps": 2, "seeds": 1, "max_epochs": 2, "num_samples": 100}.items():
        visitor.fill(label, str(number)).says(rf"{label}: {number}(?!\d)")
    for label in ("standardize", "input_noise", "hidden_sizes"):
        assert visitor.page.get_by_label(label, exact=True).count() == 0, f"{label} says nothing of tokens"
    visitor.page.get_by_role("button", name="Launch", exact=True).click()
    visitor.page.wait_for_url("**/sweep?sweep=*")
    row = visitor.finished(uri)
    assert (row["name"], row["ok"], row["planned"]) == (FORM.name, 2, 2), row
    return row["sweep"]


def best_of(runs, member):
    """The row of the best of these runs."""
    values = runs[f"metrics.{member.metric}"]
    assert values.nunique() == 2, "else any of them is the best"
    return runs.loc[values.idxmax() if member.better == "higher" else values.idxmin()]


def number_in(text):
    """The number that a cell shows; NaN where it shows none."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return math.nan


def axis_titles(visitor, key):
    """The titles of the axes of a chart."""
    chart = visitor.page.locator(f".st-key-{key} .js-plotly-plot").first
    chart.wait_for()
    return chart.evaluate("plot => [plot.layout.xaxis.title.text, plot.layout.yaxis.title.text]")


def reads_the_sweep(visitor, member, sweep, runs):
    """Its page: the best run first, by the right direction; the scores of its task can be drawn."""
    visitor.open(f"/sweep?sweep={sweep}").says("^Finished$")
    assert axis_titles(visitor, "curves") == ["epoch", member.metric]
    values = runs[f"metrics.{member.metric}"]
    shown = [[number_in(cell) for cell in row] for row in visitor.cells()]
    expected = sorted(values, reverse=member.better == "higher")
    for row, value in zip(shown, expected, strict=True):
        assert value in [pytest.approx(cell, rel=1e-3, abs=1e-9) for cell in row], (member.metric, expected, shown)
    for score in set(member.selectable) - {member.metric}:
        visitor.pick("Metric", score)
        assert axis_titles(visitor, "curves") == ["epoch", score]
    visitor.page.get_by_role("combobox", name=re.compile("Metric$")).first.click()
    offered = visitor.page.get_by_role("option").all_inner_texts()
    visitor.page.keyboard.press("Escape")
    others = {score for other in LAUNCHED for score in other.selectable} - set(member.selectable) - {"val/error"}
    assert set(member.selectable) <= set(offered) and not others & set(offered), offered


def dashed(visitor):
    """What the dashed lines of the run's panels are, by panel: the heights at which they lie."""
    return visitor.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('[data-testid=stMain] .js-plotly-plot')].map(plot => [
         plot.layout.yaxis.title.text,
         plot._fullData.filter(trace => trace.line?.dash === 'dash' && trace.y?.[0] != null).map(trace => trace.y[0])
        ]))"""
    )


def reads_a_run(visitor, member, run):
    """The page of a run: what it reached, a panel per score."""
    visitor.go(f"/run?run={run['run_id']}").says(r"Last val/")
    metric, text = re.search(r"Last (val/\w+) ([\d.e+-]+)", visitor.text()).groups()
    assert float(text.rstrip(".")) == pytest.approx(run[f"metrics.{metric}"], rel=1e-3)
    panels = dashed(visitor)
    beside = member in (LANGUAGE_MODEL, PAIRS)
    assert bool(panels["loss"]) == ("the unigram model reaches" in visitor.text()) == beside, panels
    for score in {"loss", *(name.partition("/")[2].replace("_", " ") for name in member.selectable)}:
        assert score in panels, panels.keys()
    rows = {row[0]: row for row in visitor.cells(visitor.page.locator("[data-testid=stDataFrame]").count() - 1)}
    assert f"{member.better} is better" in " ".join(rows[member.metric])
    return panels


def reads_what_is_compared(visitor, member, runs):
    """Compare, with its two runs: the better one first."""
    visitor.go(f"/compare?runs={','.join(runs['run_id'])}").says("One pair")
    best = best_of(runs, member)
    first = visitor.cells()[0]
    value = best[f"metrics.{member.metric}"]
    assert value in [pytest.approx(number_in(cell), rel=1e-3, abs=1e-9) for cell in first], first
    assert f"lr {float(best['params.optimizer.lr']):g}" in " ".join(first), first
    assert member.metric in visitor.text()


def reads_the_studies(visitor, sweep):
    """The pages that judge: each draws a figure, or says in a sentence why there is none."""
    for page, tab in STUDIES.items():
        visitor.go(f"/{page}?sweep={sweep}")
        panel = visitor.page.get_by_role("tabpanel", name=tab, exact=True)
        assert panel.locator(".js-plotly-plot").count() or SENTENCE.search(panel.inner_text()), page
        text = visitor.text()
        assert not re.search(r"accurac|misclassif|\bnan\b|None", text), (page, text)


def reads_why_nothing_is_drawn(visitor, member, sweep):
    """The pages that take no such task name it, and draw nothing."""
    sentence = f"the task of these runs is {member.task}, so nothing is drawn here"
    visitor.go(f"/bias_variance?sweep={sweep}").page.get_by_role("tab", name="Decomposition", exact=True).click()
    visitor.settle().says(sentence)
    visitor.go(f"/quality?sweep={sweep}").says(sentence)
    assert visitor.page.locator(".js-plotly-plot").count() == 0


def reads_its_pages(visitor, store, member, sweep):
    """Read the pages of the sweep, of its best run and of the comparison of its runs, for one of the members.

    Returns its best run, and the panels of that run's page."""
    runs = open_reader(store.uri).frame(sweep=sweep)
    assert len(runs) == 2 and runs[f"metrics.{member.metric}"].notna().all()
    reads_the_sweep(visitor, member, sweep, runs)
    best = best_of(runs, member)
    panels = reads_a_run(visitor, member, best)
    reads_what_is_compared(visitor, member, runs)
    return best, panels


def test_tokens_to_a_class_are_launched_from_the_form_and_read_on_every_page(visitor, trained):
    sweep = launch_from_the_form(visitor, trained.uri)
    reads_its_pages(visitor, trained, FORM, sweep)
    reads_the_studies(visitor, sweep)


def test_a_language_model_lies_beside_the_unigram_model(visitor, members):
    sweep = members.sweeps[LANGUAGE_MODEL.name]
    _, panels = reads_its_pages(visitor, members, LANGUAGE_MODEL, sweep)
    reads_the_studies(visitor, sweep)
    reads_why_nothing_is_drawn(visitor, LANGUAGE_MODEL, sweep)
    assert len(panels["loss"]) == 3, "of training, validation and test data"
    for lines in zip(panels["loss"], panels["perplexity"], panels["bits per character"], strict=True):
        loss, perplexity, bits = lines  # of one part, each in its own unit
        assert perplexity == pytest.approx(math.exp(loss), rel=1e-6)
        assert bits == pytest.approx(loss / math.log(2), rel=1e-6)
        assert 2.5 < loss < 3.5, "letters of English, by their shares, take some three nats"


def test_a_pair_of_sequences_has_a_table_of_what_is_written(visitor, members):
    best, _ = reads_its_pages(visitor, members, PAIRS, members.sweeps[PAIRS.name])
    visitor.open(f"/run?run={best['run_id']}").says("What it writes")
    right, count = map(int, re.search(r"(\d+) of these (\d+) texts, never trained on", visitor.text()).groups())
    table = visitor.rows(count).cells()
    assert all(reference.split() == source.split()[::-1] for source, reference, *_ in table)
    verdicts = [verdict for *_, verdict in table]
    assert verdicts == ["right" if output == reference else "wrong" for _, reference, output, _ in table]
    if len(table) == count:  # else only a part of the table is drawn
        assert verdicts.count("right") == right


def test_nodes_of_a_graph_are_read_on_every_page(visitor, members):
    reads_its_pages(visitor, members, GRAPH, members.sweeps[GRAPH.name])


def test_several_labels_are_ranked_by_f1_the_highest_first(visitor, members):
    reads_its_pages(visitor, members, LABELS, members.sweeps[LABELS.name])


@pytest.mark.slow
@pytest.mark.parametrize("member", [PAIRS, GRAPH, LABELS], ids=lambda member: member.name)
def test_the_studies_read_the_others_too_or_say_why_not(visitor, members, member):
    """The tests of the app open these pages for the same tasks in the fast suite."""
    sweep = members.sweeps[member.name]
    visitor.open(f"/sweep?sweep={sweep}")
    reads_the_studies(visitor, sweep)
    reads_why_nothing_is_drawn(visitor, member, sweep)


def test_the_runs_of_all_stand_in_one_table(visitor, members):
    """A metric of one task is empty in the rows of the others, and not 0."""
    metrics = list(dict.fromkeys(f"metrics.{member.metric}" for member in LAUNCHED))
    columns = "&columns=".join(["params.model.name", *metrics])
    visitor.open(f"/runs?experiment={EXPERIMENT}&columns={columns}").rows(2 * len(LAUNCHED))
    shown = [(model, [number_in(cell) for cell in cells[: len(metrics)]]) for _, _, model, *cells in visitor.cells()]
    stored = pd.concat([members.runs(member.name) for member in LAUNCHED])
    for model, values in zip(stored["params.model.name"], stored[metrics].to_numpy(), strict=True):
        equal = [name == model and np.allclose(cells, values, equal_nan=True) for name, cells in shown]
        assert any(equal), (model, values, shown)

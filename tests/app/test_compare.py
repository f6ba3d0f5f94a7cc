"""The Compare page: what the URL names is what is shown, verdicts are honest, names are text."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest

from app.compare import tables
from app.shared import live, selection, store, ui

HOSTILE = "<img src=x onerror=alert(1)> **bold** [link](http://evil.example) :red[r] " + "W" * 300
EIGHT = ["ok"] * 8


def table(at: Any, column: str) -> Any:
    """The table that has this column."""
    return next(frame.value for frame in at.dataframe if column in frame.value)


def figure(at: Any) -> Any:
    """The first chart."""
    return json.loads(at.get("plotly_chart")[0].proto.spec)


def three(fake: Any, **more: Any) -> None:
    """Three groups of eight seeds, one far better than the others, which are one step apart."""
    fake.add("s", "finished", {("adam", 0.01): EIGHT, ("sgd", 0.1): EIGHT, ("sgd", 1.0): EIGHT}, **more)


def test_a_verdict_appears_with_its_figures(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("adam", 0.01): EIGHT, ("sgd", 0.01): EIGHT})
    at = open_page("compare", sweep="s")
    text = words(at)
    assert ui.text("adam is better than sgd: val/loss 0.1 lower") in text
    assert ui.text("exact sign-flip test p=0.0078, n=8 paired seeds") in text
    ranked = table(at, "place")
    assert ranked["place"].tolist() == ["1", "2"] and ranked["group"].tolist() == ["adam", "sgd"]
    assert ranked["tied"].tolist() == ["", ""]


def test_too_few_seeds_say_how_many_more(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["ok"] * 4, ("b", 1.0): ["ok"] * 4})
    text = words(open_page("compare", sweep="s"))
    assert ui.text("Too few seeds: at least 2 more") in text and "better" not in text


def test_the_chosen_pair_and_a_margin(fake: Any, open_page: Any, words: Any) -> None:
    three(fake)
    at = open_page("compare", sweep="s", a="sgd, lr 1", b="adam, lr 0.01", planned="true")
    assert ui.text("sgd, lr 1 is worse than adam, lr 0.01") in words(at)
    (sentence,) = [element.value for element in at.markdown if element.value.startswith("**sgd, lr 1 is worse")]
    assert "Holm" not in sentence
    at.number_input(key="margin").set_value(5.0).run()
    assert ui.text("No difference beyond 5 between sgd, lr 1 and adam, lr 0.01") in words(at)


def test_everything_that_is_set_lives_in_the_url(fake: Any, open_page: Any) -> None:
    three(fake)
    at = open_page(
        "compare", sweep="s", baseline="sgd, lr 0.1", these="sgd, lr 0.1", x="step", scale="linear", smooth="0.5",
        show="groups", apart="true", better="higher",
    )  # fmt: skip
    assert at.selectbox(key="baseline").value == "sgd, lr 0.1" and at.toggle(key="apart").value
    assert at.multiselect(key="these").value == ["sgd, lr 0.1"] and at.slider(key="smooth").value == 0.5
    assert at.selectbox(key="better").value == "higher"
    assert "minus sgd" in figure(at)["layout"]["yaxis"]["title"]["text"]
    at.selectbox(key="baseline").set_value("adam, lr 0.01").run()
    assert "minus adam" in figure(at)["layout"]["yaxis"]["title"]["text"] and at.query_params["sweep"] == "s"


def test_a_sweep_that_grows_is_followed(fake: Any, open_page: Any, monkeypatch: Any) -> None:
    followed = []
    monkeypatch.setattr(live, "follow", lambda snapshot, active: followed.append(active))
    two = {("adam", 0.01): EIGHT, ("adam", 0.1): EIGHT}
    fake.add("s", "running", two)
    at = open_page("compare", sweep="s", baseline="lr 0.01", a="lr 0.1", b="lr 0.01", these="lr 0.01")
    assert table(at, "against baseline")["group"].tolist() == ["lr 0.01", "lr 0.1"]
    fake.rows.clear()
    fake.add("s", "finished", {**two, ("sgd", 0.1): EIGHT})
    at.run()
    assert not at.exception and not at.error
    assert table(at, "place")["group"].tolist() == ["adam, lr 0.01", "adam, lr 0.1", "sgd, lr 0.1"]
    assert followed == [True, False]


def test_differences_from_the_baseline_are_everywhere(fake: Any, open_page: Any) -> None:
    three(fake)
    at = open_page("compare", sweep="s", baseline="adam, lr 0.01")
    ranked = table(at, "against baseline")
    assert ranked["against baseline"].tolist() == ["baseline", "worse", "worse"]
    # The fake's results lie 0.1 apart, seed by seed.
    assert ranked["difference"].round(6).tolist()[1:] == [0.1, 0.2] and pd.isna(ranked["difference"][0])
    assert at.selectbox(key="b").value == "sgd, lr 0.1", "the leader is the baseline: the next one is its partner"


def test_only_the_named_groups_are_tested(fake: Any, open_page: Any) -> None:
    three(fake)
    ranked = table(open_page("compare", sweep="s", these="adam, lr 0.01", baseline="sgd, lr 1"), "place")
    assert ranked["place"].tolist() == ["1", "–", "2"]
    assert ranked["tied"].tolist() == ["", "not among those named", ""]
    assert ranked["against baseline"].tolist() == ["better", "", "baseline"]


def test_groups_of_a_sweep_and_single_runs_can_be_selected(fake: Any, open_page: Any) -> None:
    three(fake)
    at = open_page("compare", sweep="s", groups="g0,g2")
    assert table(at, "place")["group"].tolist() == ["adam, lr 0.01", "sgd, lr 1"]
    at = open_page("compare", groups="g1")
    assert len(table(at, "place")) == 1
    at = open_page("compare", runs="s-0-0,s-1-3", show="runs")
    assert table(at, "place")["group"].tolist() == ["adam, lr 0.01, seed 0", "sgd, lr 0.1, seed 3"]


def test_what_else_differs_is_named_in_red(fake: Any, open_page: Any, words: Any) -> None:
    three(fake)
    assert ":red[" not in words(open_page("compare", sweep="s"))
    text = words(open_page("compare", sweep="s", varied="optimizer.name"))
    assert ":red[" in text and ui.text("but also optimizer.lr") in text


@pytest.mark.parametrize("view", ["Curves", "Parallel coordinates", "Scatter", "Importance"])
@pytest.mark.parametrize("show", ["groups", "runs"])
def test_every_figure_draws_and_can_be_taken_away(fake: Any, open_page: Any, view: str, show: str) -> None:
    fake.add("s", "finished", {("adam", 0.01): [*EIGHT], ("sgd", 0.1): ["ok"] * 7 + ["diverged"]})
    at = open_page("compare", sweep="s", view=view, show=show)
    assert len(at.get("plotly_chart")) == 1
    key = {"Parallel coordinates": "parallel"}.get(view, view.lower())
    at.button(key=f"image-{key}").click().run()
    assert not at.exception
    document = json.loads(at.get("plotly_chart")[-1].proto.spec)
    (note,) = [annotation["text"] for annotation in document["layout"]["annotations"]]
    caption = " ".join(note.replace("<br>", " ").split())
    assert "n=" in caption or "runs." in caption
    assert "nterval" in caption and "compare?sweep=s" in caption
    config = json.loads(at.get("plotly_chart")[-1].proto.config)
    assert config["toImageButtonOptions"]["format"] == "svg" and config["modeBarButtons"] == [["toImage"]]


def test_mlflow_opens_the_same_runs(fake: Any, open_page: Any) -> None:
    three(fake)
    at = open_page("compare", sweep="s", groups="g0")
    at.button(key="do-mlflow").click().run()
    url = unquote(at.link_button[0].url)
    assert url.startswith("http://127.0.0.1:5999/#/compare-runs?") and 'experiments=["1"]' in url
    assert all(f'"s-0-{seed}"' in url for seed in range(8)) and "s-1-" not in url


def test_a_script_holds_no_way_out() -> None:
    script = tables.in_script('"</script><img src=x>\\')
    assert "<" not in script and script.count('"') == 2 and json.loads(script) == '"</script><img src=x>\\'


def test_names_are_text(fake: Any, open_page: Any, bare: Any) -> None:
    fake.add("s", "finished", {(HOSTILE, 1.0): EIGHT, ("b", 1.0): EIGHT}, name=HOSTILE)
    at = open_page("compare", sweep="s", baseline="b, lr 1", apart="true")
    bare([element.value for element in [*at.title, *at.markdown, *at.caption]])
    assert "<img" not in at.get("plotly_chart")[0].proto.spec


def test_with_nothing_chosen_there_is_a_picker(fake: Any, open_page: Any, words: Any) -> None:
    three(fake)
    at = open_page("compare")
    assert "Choose the sweeps" in words(at)
    at.multiselect(key="compare-sweeps").set_value(["s"])
    next(button for button in at.button if button.label == "Compare").click().run()
    assert not at.exception and at.query_params["sweep"] == "s" and "3 groups" in words(at)


def test_without_sweeps_there_is_one_sentence_and_one_button(open_page: Any, words: Any) -> None:
    at = open_page("compare")
    assert "nothing to compare yet" in words(at) and [button.label for button in at.button] == ["New sweep"]


def test_what_is_gone_is_a_sentence(fake: Any, open_page: Any, words: Any) -> None:
    three(fake)
    at = open_page("compare", runs="<b>gone")
    assert "none of the runs" in words(at) and [button.label for button in at.button] == ["Choose others"]


def test_runs_without_a_metric_are_a_sentence(fake: Any, open_page: Any, words: Any) -> None:
    fake.add("s", "finished", {("a", 1.0): ["crashed"]})
    fake.rows.clear()  # a stranger's run: no sweep says what it is judged by
    assert "logged no metric" in words(open_page("compare", runs="s-0-0"))


def test_all_diverged(fake: Any, open_page: Any, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.add("s", "finished", {("a", 1.0): ["diverged"] * 3, ("b", 1.0): ["diverged"] * 3})
    whole = fake.records

    def logged(*args: Any, **more: Any) -> Any:
        frames = whole(*args, **more)
        rows = [(run, "train/loss", 1.0, 1, fake.now) for run in frames.runs["run_id"]]
        return frames._replace(metrics=pd.DataFrame(rows, columns=["run_id", "key", "value", "step", "time"]))

    monkeypatch.setattr(store, "records", logged)
    at = open_page("compare", sweep="s", metric="val/loss")
    assert "diverged" in words(at) and table(at, "place")["seeds"].tolist() == ["0 of 3", "0 of 3"]


def test_the_sweep_page_leads_here(fake: Any, open_page: Any, words: Any) -> None:
    three(fake)
    at = open_page("sweep", sweep="s")
    (link,) = [link.proto for link in at.page_link if link.value == "Compare"]
    assert link.page == "compare" and link.query_string == "sweep=s"
    at = open_page(link.page, sweep="s")
    assert not at.exception and at.title[0].value == "Compare"


def test_mlflow_takes_no_endless_address() -> None:
    runs = pd.DataFrame({"run_id": [f"{k:032x}" for k in range(500)], "experiment_id": ["1"] * 500})
    assert len(selection.mlflow_compare("http://x", runs)) < 8000

"""Sweeps whose tasks have more metrics than a loss and an error, on every page: perplexity, F1 and exact match."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from app.shared import store
from app.study import page as study_page
from sweeps.search import enumerate_trials, flatten, group_of, seeds_for
from sweeps.spec import parse
from tracking import schema

SEEDS = 3
EPOCHS = 4
LANGUAGE = """
name: letters
model: {name: rnn_lm}
data: {name: text_file}
search: {optimizer.lr: {values: [0.1, 0.01]}}
seeds: 3
objective: {metric: val/perplexity}
"""
LABELS = """
name: labels
model: {name: mlp}
data: {name: label_sets}
search: {optimizer.lr: {values: [0.1, 0.01]}}
seeds: 3
objective: {metric: val/f1_macro}
"""
PAIRS = """
name: pairs
model: {name: seq2seq}
data: {name: reverse}
search: {optimizer.lr: {values: [0.1, 0.01]}}
seeds: 3
objective: {metric: val/exact_match}
"""
BEST_LR = 0.01
STUDIES = ("bias_variance", "optimizers", "regularization")


def language(loss: float) -> dict[str, float]:
    return {"loss": loss, "error": loss / 4, "perplexity": math.exp(loss), "bits_per_character": loss / math.log(2)}


def labels(loss: float) -> dict[str, float]:
    return {"loss": loss, "error": loss / 4, "f1_micro": 1 - loss / 4, "f1_macro": 1 - loss / 2}


def pairs(loss: float) -> dict[str, float]:
    return {"loss": loss, "error": loss / 4, "perplexity": math.exp(loss), "exact_match": 1 - loss / 2}


TASKS = {LANGUAGE: language, LABELS: labels, PAIRS: pairs}


def curves(text: str, worse: float) -> dict[str, Any]:
    """What a run logs, epoch by epoch; those of the test part once."""
    logged: dict[str, Any] = {}
    for part, more in (("val", 0.2), ("train_eval", 0.0)):
        epochs = [TASKS[text](0.5 + worse + more + 0.3 / (epoch + 1)) for epoch in range(EPOCHS)]
        names = [name for name in epochs[0] if part == "val" or name != "exact_match"]
        logged |= {f"{part}/{name}": [scores[name] for scores in epochs] for name in names}
    logged |= {f"test/{name}": value for name, value in TASKS[text](0.9 + worse).items()}
    logged["train/loss"] = logged["train_eval/loss"]
    return logged | {name: [1.0] * EPOCHS for name in schema.EVERY_EPOCH}


@pytest.fixture
def store_sweep(rows: Any, client: Any) -> Any:
    """`store_sweep(LANGUAGE)` stores a sweep that has ended; returns its id and those of its runs, the best first."""

    def store(text: str) -> tuple[str, list[str]]:
        spec = parse(text)
        trials = list(enumerate_trials(spec))
        experiment = rows.create_experiment(spec.name)
        sweep = rows.log_run(
            experiment, spec.name,
            tags={
                schema.KIND: schema.SWEEP_KIND, schema.STATE: "finished", schema.METRIC: spec.objective.metric,
                schema.DIRECTION: spec.objective.direction, schema.SEARCHED: json.dumps(list(spec.search)),
                schema.TRIALS: str(len(trials)), schema.SEEDS: str(SEEDS), schema.NOTE: "",
            },
        )  # fmt: skip
        (rows.artifacts(sweep) / schema.SPEC_FILE).write_text(text, encoding="utf-8")
        runs = []
        for trial in sorted(trials, key=lambda trial: trial.params["optimizer.lr"] != BEST_LR):
            for seed in range(SEEDS):
                seeds = seeds_for(spec, seed)
                logged = curves(text, 0.3 * (trial.params["optimizer.lr"] != BEST_LR) + 0.01 * seed)
                objective = {schema.OBJECTIVE: logged[spec.objective.metric][-1]}
                tags = {
                    schema.KIND: schema.RUN_KIND, schema.SWEEP: sweep, schema.PARENT: sweep,
                    schema.PHASE: schema.SEARCH_PHASE, schema.TRIAL: str(trial.number), schema.SEED: str(seed),
                    schema.GROUP: group_of(trial.configuration, schema.SEARCH_PHASE), schema.OUTCOME: "ok",
                    schema.SEED_DATA: str(seeds["data"]), schema.SEED_INIT: str(seeds["init"]),
                    schema.SEED_ORDER: str(seeds["order"]), schema.PARAMS: json.dumps(trial.params),
                }  # fmt: skip
                name = f"lr {trial.params['optimizer.lr']} seed {seed}"
                runs.append(rows.log_run(experiment, name, flatten(trial.configuration), logged | objective, tags))
        return str(sweep), [str(run) for run in runs]

    return store


def sent(at: Any) -> str:
    """Everything that a page sends to the browser: texts, options, help, tables."""
    nodes = [node for block in (at.main, at.sidebar) for node in block if getattr(node, "proto", None) is not None]
    return "\n".join(node.proto.SerializeToString().decode("utf-8", "ignore") for node in nodes)


def plain(text: str) -> str:
    """A text as it is read: without the signs that keep Markdown out."""
    return text.replace("\\", "").replace("\u2060", "")


# Which direction is better


def test_the_direction_of_an_objective_follows_its_metric_unless_the_user_says_otherwise() -> None:
    assert parse(LANGUAGE).objective.direction == "minimize" and parse(LABELS).objective.direction == "maximize"
    written = parse(LABELS.replace("val/f1_macro", "val/f1_macro, direction: minimize"))
    assert written.objective.direction == "minimize"


def test_every_score_has_its_direction_on_the_pages() -> None:
    names = [f"{part}/{score}" for scores in TASKS.values() for score in scores(1.0) for part in ("val", "test")]
    higher = {name for name, role in store.roles(names, []).items() if role.better == "higher"}
    assert {name.partition("/")[2] for name in higher} == {"f1_micro", "f1_macro", "exact_match"}
    assert not any(role.guessed for role in store.roles(names, []).values())


@pytest.mark.parametrize("text", TASKS)
def test_the_best_run_is_the_best_by_its_metric_on_every_page(
    store_sweep: Any, visit: Any, words: Any, text: str
) -> None:
    sweep, _ = store_sweep(text)
    ranking = next(table.value for table in visit("sweep", sweep=sweep).dataframe if "mean" in table.value)
    assert ranking["optimizer.lr"].tolist() == [BEST_LR, 0.1]
    at = visit("compare", sweep=sweep)
    standings = next(table.value for table in at.dataframe if "place" in table.value)
    means = standings["mean"].tolist()
    higher = text in (LABELS, PAIRS)
    assert "0.01" in standings["group"].tolist()[0] and means == sorted(means, reverse=higher)
    assert at.selectbox(key="better").format_func("as known") == f"{'higher' if higher else 'lower'} (auto)"
    assert f"lr 0.01, {parse(text).objective.metric}" in plain(words(visit("overview")))


def test_groups_of_the_runs_page_rank_by_the_largest_f1(store_sweep: Any, visit: Any) -> None:
    store_sweep(LABELS)
    at = visit("runs", experiment="labels", rows="Groups", columns="metrics.val/f1_micro")
    groups = next(table.value for table in at.dataframe if "finite" in table.value)
    means = groups["metrics.val/f1_micro"].tolist()
    assert means == sorted(means, reverse=True) and len(set(means)) == 2


# Where metrics are chosen


@pytest.mark.parametrize("text", TASKS)
def test_every_score_can_be_chosen_and_those_of_test_data_come_last(store_sweep: Any, visit: Any, text: str) -> None:
    sweep, (run, *_) = store_sweep(text)
    scores = list(TASKS[text](1.0))
    offered = visit("sweep", sweep=sweep).selectbox(key="metric")
    assert offered.options[: len(scores)] == [f"val/{score}" for score in scores]
    assert offered.value == parse(text).objective.metric and not any(
        name.startswith("test/") for name in offered.options
    )
    compared = visit("compare", sweep=sweep).selectbox(key="metric").options
    assert compared[-len(scores) :] == [f"test/{score}" for score in scores]
    assert sorted(compared[: len(scores)]) == sorted(f"val/{score}" for score in scores)
    table = next(table.value for table in visit("run", run=run).dataframe if "what it says" in table.value)
    assert table["metric"].tolist()[-len(scores) :] == [f"test/{score}" for score in scores]
    for page in STUDIES if text == LABELS else STUDIES[:1]:
        judges = visit(page, sweep=sweep).selectbox(key="dev").options
        assert [name for name in judges if name.startswith("val/")] == judges[: len(scores)]
        assert set(judges) == {f"{part}/{score}" for part in ("val", "test") for score in scores}


def test_what_a_score_means_stands_beside_it(store_sweep: Any, visit: Any) -> None:
    language_sweep, (run, *_) = store_sweep(LANGUAGE)
    labels_sweep, _ = store_sweep(LABELS)
    tokens, wrong = "The share of tokens that are not the most probable one.", "The share of labels that are wrong"
    for page in ("sweep", "compare"):
        assert tokens in plain(visit(page, sweep=language_sweep).selectbox(key="metric").help)
        assert wrong in plain(visit(page, sweep=labels_sweep).selectbox(key="metric").help)
    for page in STUDIES[:1]:
        assert tokens in plain(visit(page, sweep=language_sweep).selectbox(key="dev").help)
    table = next(table.value for table in visit("run", run=run).dataframe if "what it says" in table.value)
    meanings = dict(zip(table["metric"], table["what it says"], strict=True))
    assert meanings["val/error"] == f"{tokens} On validation data." and meanings["opt/lr"] == "The learning rate."
    both = plain(visit("compare", sweep=f"{language_sweep},{labels_sweep}").selectbox(key="metric").help)
    assert "error: For a language model: the share of tokens" in both and "For several labels: the share of lab" in both
    assert tokens in plain(sent(visit("runs", experiment="letters")))


@pytest.mark.parametrize("page", ["sweep", "compare", "run", "optimizers"])
def test_a_perplexity_is_no_share(store_sweep: Any, visit: Any, words: Any, page: str) -> None:
    sweep, (run, *_) = store_sweep(LANGUAGE)
    address = {"run": {"run": run}, "sweep": {"sweep": sweep}}
    at = visit(page, **address.get(page, {"sweep": sweep, "dev": "val/perplexity", "metric": "val/perplexity"}))
    text = words(at)
    assert "val/perplexity" in plain(text)
    shares = [part for part in plain(text).replace("95%", "").split() if part.endswith("%")]
    assert not shares and "1 − val/perplexity" not in plain(text)


# The studies


def study_of(visit: Any, monkeypatch: Any, page: str, **address: Any) -> Any:
    studies: list[Any] = []
    head = study_page.head
    monkeypatch.setattr(
        study_page, "head", lambda study, *rest, **more: (studies.append(study), head(study, *rest, **more))
    )
    visit(page, **address)
    return studies[-1]


@pytest.mark.parametrize("page", STUDIES)
def test_a_study_reads_any_score_as_the_error(store_sweep: Any, visit: Any, monkeypatch: Any, page: str) -> None:
    sweep, _ = store_sweep(LANGUAGE)
    study = study_of(visit, monkeypatch, page, sweep=sweep, dev="val/perplexity")
    assert (study.slots.dev, study.slots.train) == ("val/perplexity", "train_eval/perplexity")
    assert study.tasks == ["language_model"] and study.view.direction == "minimize"
    best = study.runs[study.runs["optimizer.lr"] == BEST_LR]["dev"]
    assert best.min() == pytest.approx(math.exp(0.5 + 0.2 + 0.3 / EPOCHS))
    labels_sweep, _ = store_sweep(LABELS)
    study = study_of(visit, monkeypatch, page, sweep=labels_sweep)
    assert (study.slots.label("dev"), study.slots.label("train")) == ("1 − val/f1_macro", "1 − train_eval/f1_macro")
    assert study.view.groups[0].label.endswith("0.01")


def test_no_perplexity_is_below_one(store_sweep: Any, visit: Any, words: Any) -> None:
    sweep, _ = store_sweep(LANGUAGE)
    at = visit("bias_variance", sweep=sweep, dev="val/perplexity")
    assert at.number_input(key="reference").placeholder == "1 (the least)"
    assert visit("bias_variance", sweep=sweep, dev="val/loss").number_input(key="reference").placeholder == "0"


# What makes no sense for a task


@pytest.mark.parametrize(("text", "task"), [(LANGUAGE, "a language model"), (LABELS, "several labels")])
def test_what_makes_no_sense_for_a_task_is_said_and_not_drawn(
    store_sweep: Any, visit: Any, words: Any, text: str, task: str
) -> None:
    sweep, _ = store_sweep(text)
    so = f"the task of these runs is {task}, so nothing is drawn here."
    for look in ("Decomposition", "Fits"):
        at = visit("bias_variance", sweep=sweep, look=look)
        assert so in plain(words(at)) and not at.get("plotly_chart") and "not replicated" not in words(at)
    at = visit("quality", sweep=sweep)
    assert so in plain(words(at)) and not at.get("plotly_chart") and "classification runs" not in words(at)

"""Metric names live in one list: that of the tasks, which the catalogue holds for all other rooms."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from learning_tasks import TASKS, Metric
from sweeps.catalogue import load
from sweeps.catalogue.build import metrics_of
from sweeps.catalogue.entries import ours
from sweeps.catalogue.metrics import TaskMetric, direction, parts_of
from sweeps.fields import SpecError
from sweeps.spec import parse
from sweeps.training.objective import measured
from sweeps.training.recorders import RECORDERS
from tracking import schema

ROOT = Path(__file__).parents[3]
ROOMS = ("analysis", "app", "data", "lightning_modules", "sweeps", "tracking")
GENERAL = {"loss", "error"}
"""What every task has, and words of other meanings too."""
CONSTANTS = {"VAL_LOSS", "VAL_ERROR", "TRAIN_EVAL_LOSS", "TRAIN_EVAL_ERROR", "TEST_LOSS", "TEST_ERROR"}
LIST_FROM = 3
"""So many score constants in one literal are a list of metrics: one or two are what the code is about."""


def names_in(node):
    """The constants of the schema that an expression names."""
    parts = ast.walk(node)
    return {part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in parts} & CONSTANTS


def lists_of_metrics(source, schema_itself=False):
    """What stands in a source that only the tasks may say: lines of literal names of scores, and lists of them."""
    scores = set(ours().scores)
    name = re.compile(rf"(?:val|train_eval|test)/(?:{'|'.join(scores)})")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            written = name.fullmatch(node.value)
            if (written and not schema_itself) or node.value in scores - GENERAL:
                yield node.lineno, node.value
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict) and len(names_in(node)) >= LIST_FROM:
            yield node.lineno, ", ".join(sorted(names_in(node)))


def test_no_other_room_has_a_list_of_metric_names():
    lists = {
        f"{path.relative_to(ROOT)}:{line}": text
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, text in lists_of_metrics(path.read_text(encoding="utf-8"), path.name == "schema.py")
    }
    assert not lists


@pytest.mark.parametrize(
    "source",
    [
        'x = "val/error"',
        'x = {"perplexity": 1}',
        'if metric == "f1_macro": pass',
        "METRICS = (schema.VAL_LOSS, schema.VAL_ERROR, schema.TRAIN_EVAL_LOSS)",
        "METRICS = [VAL_LOSS, VAL_ERROR, TEST_ERROR]",
        "ROLES = {schema.VAL_LOSS: 1, schema.VAL_ERROR: 2, schema.TEST_LOSS: 3}",
    ],
)
def test_such_a_list_would_be_seen(source):
    assert list(lists_of_metrics(source))


def test_the_catalogue_has_the_metrics_of_every_task_and_recorder():
    catalogue = load()
    assert list(catalogue.tasks) == list(TASKS)
    for name, task in TASKS.items():
        metrics = [Metric(*metric[:4]) for metric in catalogue.tasks[name] if not metric.recorder]
        assert tuple(metrics) == task.metrics
    recorded = {(task, metric.name) for task in TASKS for metric in catalogue.tasks[task] if metric.recorder}
    assert recorded == {
        (task, metric.name) for one in RECORDERS.values() for task in one.tasks for metric in one.metrics
    }
    for metric in catalogue.scores.values():
        assert metric.help[-1] == "." and TaskMetric(**metric.as_json()) == metric


@pytest.mark.parametrize("task", TASKS)
def test_what_a_run_measures_is_what_it_may_be_ranked_by(task):
    """Training refuses an objective by the classes, the check of a sweep by the catalogue's file: both say the same."""
    catalogue = load()
    recorded = [metric for recorder in RECORDERS.values() if task in recorder.tasks for metric in recorder.metrics]
    by_training = measured(TASKS[task].metrics, recorded)
    pairs = [
        (data.name, model)
        for data in catalogue.datasets.values()
        if data.asks == (task,)
        for model in catalogue.models_for(data.name)
    ]
    if pairs:
        assert sorted([*catalogue.rankings(pairs), *schema.EVERY_EPOCH]) == sorted(by_training)


def test_the_names_of_metrics_are_taken_apart_by_the_part_of_the_data():
    assert parts_of("val/f1_macro") == ("val", "f1_macro") and parts_of("train_eval/loss") == ("train_eval", "loss")
    for name in ("opt/lr", "loss", "val_loss", "train/loss"):
        assert parts_of(name) == ("", name)
    catalogue = load()
    assert [direction(catalogue.better(f"{part}/f1_micro")) for part in ("val", "test")] == ["maximize"] * 2
    assert catalogue.better("opt/lr") == "" == catalogue.better("f1_micro") and direction("") == "minimize"


def task_of(*metrics):
    return SimpleNamespace(metrics=metrics)


def test_a_recorder_with_metrics_says_for_which_tasks_and_tasks_agree_on_what_is_better():
    bleu = Metric("bleu", "higher", "How it reads.")
    recorder = SimpleNamespace(metrics=(bleu,), tasks=("a",))
    (metric,) = metrics_of({"a": task_of()}, {"texts": recorder})["a"]
    assert metric == TaskMetric("bleu", "higher", "How it reads.", recorder="texts")
    assert metric.ranking_names == ["val/bleu"], "recorders look at validation data"
    with pytest.raises(TypeError, match="recorder texts: it has metrics, but no tasks that they are for"):
        metrics_of({"a": task_of()}, {"texts": SimpleNamespace(metrics=(bleu,), tasks=())})
    with pytest.raises(TypeError, match="b, metric bleu: another task says that higher is better"):
        metrics_of({"a": task_of(bleu), "b": task_of(bleu._replace(better="lower"))}, {})


# In a sweep

SWEEP = (
    "{{name: s, model: {{name: {model}}}, data: {{name: {data}}}, search: {{optimizer.lr: {{values: [1, 2]}}}}{more}}}"
)
LABELS, LETTERS = {"model": "mlp", "data": "label_sets"}, {"model": "rnn_lm", "data": "text_file"}
REVERSE = {"model": "seq2seq", "data": "reverse"}


def sweep(names, more=""):
    return parse(SWEEP.format(**names, more=f", {more}" if more else ""))


@pytest.mark.parametrize(
    ("names", "metric", "expected"),
    [
        (LABELS, "val/f1_macro", "maximize"),
        (LABELS, "train_eval/f1_micro", "maximize"),
        (LABELS, "val/error", "minimize"),
        (LETTERS, "val/perplexity", "minimize"),
        (REVERSE, "val/exact_match", "maximize"),
    ],
)
def test_a_sweep_is_ranked_by_any_metric_of_its_task_in_its_direction(names, metric, expected):
    assert sweep(names, f"objective: {{metric: {metric}}}").objective.direction == expected
    for written in ("minimize", "maximize"):
        objective = sweep(names, f"objective: {{metric: {metric}, direction: {written}}}").objective
        assert (objective.metric, objective.direction) == (metric, written), "the user may say otherwise"


@pytest.mark.parametrize(
    ("names", "metric", "more"),
    [
        (LABELS, "val/perplexity", ""),
        (LETTERS, "val/f1_macro", ""),
        (REVERSE, "train_eval/exact_match", ""),
        (REVERSE, "val/exact_match", "record: {translations: false}"),
        (LABELS, "test/f1_macro", ""),
        (LABELS, 3, ""),
    ],
)
def test_a_refusal_names_what_the_data_measure(names, metric, more):
    with pytest.raises(SpecError) as refused:
        sweep(names, ", ".join(filter(None, [f"objective: {{metric: {metric}}}", more])))
    (sentence,) = refused.value.problems
    shown = f'"{metric}"' if isinstance(metric, str) else metric
    assert sentence.startswith(f"objective.metric: {shown} is not allowed; allowed: val/loss, val/error, ")
    task = {"label_sets": "val/f1_macro", "text_file": "val/bits_per_character", "reverse": "val/perplexity"}
    assert task[names["data"]] in sentence.partition("allowed: val/loss")[2]


def test_several_data_sets_have_the_metrics_that_all_of_them_measure():
    catalogue = load()
    assert catalogue.rankings([("label_sets", "mlp"), ("digits", "mlp")]) == catalogue.rankings([("digits", "mlp")])
    assert "val/exact_match" not in catalogue.rankings([("reverse", "seq2seq")], off=["translations"])
    unfit = catalogue.rankings([("text_file", "lenet")])
    assert "val/perplexity" in unfit, "that the model does not fit is said elsewhere"


def test_a_claim_is_judged_in_the_direction_of_its_metric():
    claim = "claim: {{text: It is so., better: {{optimizer.lr: 1}}, than: {{optimizer.lr: 2}}, metric: {}}}"
    (by_f1,) = sweep(LABELS, claim.format("val/f1_micro")).claim
    (by_norm,) = sweep(LABELS, claim.format("opt/grad_norm")).claim
    assert (by_f1.direction, by_norm.direction) == ("maximize", "minimize")
    with pytest.raises(SpecError, match=r'claim.metric: "opt/lr" is not allowed; allowed: val/loss'):
        sweep(LABELS, claim.format("opt/lr"))

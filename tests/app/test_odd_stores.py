"""A store of runs as strangers log them, each experiment odd in one way: every page opens on every one of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

PAGES = ("runs", "compare", "bias_variance", "optimizers", "regularization", "quality", "run")
"""Those that show runs that no sweep of ours has trained."""
NOW = 1_700_000_000_000
"""Milliseconds since 1970, some time in 2023."""


class Store:
    """Writes the runs of one experiment."""

    def __init__(self, rows: Any, name: str) -> None:
        self.rows, self.experiment, self.ids = rows, rows.create_experiment(name), []

    def run(self, name: str, params: dict[str, str] | None = None, metrics: Any = None, **more: Any) -> str:
        """Store a run with `metrics` as `log_run` takes them."""
        start = more.pop("start", NOW + len(self.ids))
        self.ids.append(self.rows.log_run(self.experiment, name, params, metrics, start=start, **more))
        return str(self.ids[-1])

    def points(self, name: str, points: list[tuple[str, float, int, int]], **more: Any) -> str:
        """Store a run of points (metric, value, step, time in milliseconds)."""
        run = self.run(name, status=None, **more)
        for key, value, step, when in points:
            self.rows.log_metric(run, key, value, timestamp=when, step=step)
        self.rows.set_terminated(run)
        return run


def no_numbers(store: Store) -> None:
    store.run("all kinds", {"lr": "0.1"}, {"loss": [1.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 0.5]})
    store.run("only nan", {"lr": "0.1"}, {"loss": [math.nan] * 5})
    store.run("finite", {"lr": "0.1"}, {"loss": [1.0, 0.8, 0.6]})
    store.run("no metric at all", {"lr": "0.1"})


def resumed(store: Store) -> None:
    """Steps 5 to 9 exist twice, with other values."""
    for seed in range(3):
        first = [("val_loss", 1 / (step + 1) + seed / 100, step, NOW + step) for step in range(10)]
        again = [("val_loss", 0.5 - step / 50, 5 + step, NOW + 100 + step) for step in range(10)]
        store.points(f"seed {seed}", first + again, params={"seed": str(seed)})


def steps_and_times(store: Store) -> None:
    store.points("every step 0", [("loss", 1 - i / 10, 0, NOW + 1000 * i) for i in range(5)])
    store.points("1970", [("loss", i / 20, i, i) for i in range(20)])
    store.points("seconds for milliseconds", [("loss", i / 20, i, NOW // 1000 + i) for i in range(20)])
    store.points("huge and negative step", [("loss", 1.0, 2**53, NOW), ("loss", 0.5, -5, NOW)])
    store.points("by thousands", [("loss", i / 50, 1000 * i, NOW + i) for i in range(50)])
    store.run("ends before it began", None, {"loss": [1.0, 0.5]}, start=2 * NOW)
    store.run("runs since 2020", None, {"loss": [1.0, 0.5]}, start=1_577_836_800_000, status=None)


NAMES = ("team's-run", "x' OR '1'='1", "100%", "a_b", "a\\", "🚀", "<b>bold</b>", "$x^2$", "\u202eevil", "=1+1", "  ")
KEYS = ("f1-score", "avg model score", "val:acc", "01: time", "x/y/z", "a.b", "Fehlerquote ü", "%{y}", "准确率")


def names(store: Store) -> None:
    for number, name in enumerate(NAMES):
        values = {key: [number / 10 + step / 10 for step in range(3)] for key in KEYS}
        store.run(name, {"learning rate": f"{0.1 * (number + 1)}", "opt.name": name}, values)


def params(store: Store) -> None:
    for value in ("0.1", "1e-1", "auto", "(1, 2)", "", "nan", "None", "001", "True", "{'a': 1}", "0.1 "):
        store.run(f"lr {value}", {"lr": value, "opt": "sgd"}, {"acc": [0.5, 0.6]})
    for end in "ab":
        store.run(f"long {end}", {"long": "x" * 400 + end, "opt": "sgd"}, {"acc": [0.5, 0.6]})


RUN_COLUMNS = (
    "objective", "group", "trial", "phase", "outcome", "parent", "counts", "run_id", "start_time", "seed", "name",
    "end_time", "label", "method", "side", "dev", "train",
)  # fmt: skip


def named_like_columns(store: Store) -> None:
    for place in range(6):
        both = dict.fromkeys(RUN_COLUMNS, ("binary:logistic", "reg:squarederror")[place % 2])
        store.run(f"run {place}", {**both, "param objective": "x"}, {"val_loss": [0.9, 0.5 + place / 100]})


def parents(store: Store) -> None:
    parent = store.run("deleted parent")
    for seed in range(3):
        tags = {"mlflow.parentRunId": parent}
        store.run(f"child {seed}", {"seed": str(seed)}, {"acc": [0.5, 0.6 + seed / 100]}, tags=tags)
    store.rows.delete_run(store.ids.pop(0))
    tags = {"mlflow.parentRunId": "0" * 32}
    store.run("its parent never was", {"seed": "9"}, {"acc": [0.4]}, tags=tags)


def missing_keys(store: Store) -> None:
    for seed in range(4):
        for method, end in (("adam", 0.7), ("sgd", 0.6)):
            store.run("", {"optimizer": method, "seed": str(seed)}, {"val_accuracy": [0.5, end + seed / 100]})
    store.run("no optimizer said", {"seed": "0"}, {"val_accuracy": [0.5, 0.65]})
    store.run("diverged", {"optimizer": "adam", "seed": "4"}, {"val_accuracy": [0.5, math.nan]})
    for seed, status in (("5", "FAILED"), ("6", "KILLED")):
        store.run(status, {"optimizer": "adam", "seed": seed}, {"val_accuracy": 0.5}, status=status)


def hostile(store: Store) -> None:
    note = {"mlflow.note.content": "![x](http://example.com/x.png) <iframe src=//x>"}
    store.run("<img src=x onerror=alert(1)>", {"note": "<script>alert(1)</script>"}, {"acc": 0.4}, tags=note)


def one_run(store: Store) -> None:
    store.run("alone", {"lr": "0.1"}, {"loss": 0.5})


def nothing_but_training(store: Store) -> None:
    for seed in range(3):
        store.run(f"seed {seed}", {"seed": str(seed)}, {"train_loss": [1.0, 0.5], "lr": 0.1, "epoch_time": 3.0})


EXPERIMENTS = (
    no_numbers, resumed, steps_and_times, names, params, named_like_columns, parents, missing_keys, hostile, one_run,
    nothing_but_training,
)  # fmt: skip


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda write: write.__name__)
def test_every_page_opens_on_every_odd_experiment(
    rows: Any, client: Any, visit: Any, words: Any, experiment: Callable[[Store], None]
) -> None:
    store = Store(rows, experiment.__name__)
    experiment(store)
    address = {"runs": {"experiment": store.experiment}, "run": {"run": store.ids[-1]}}
    for page in PAGES:
        at = visit(page, **address.get(page, {"runs": ",".join(store.ids)}))
        assert at.main.children and not at.exception, page
        text = words(at)
        assert "Traceback" not in text and "e+30" not in text and "e308" not in text, page


def test_training_judges_only_where_a_person_asks_for_it(rows: Any, client: Any, visit: Any, words: Any) -> None:
    store = Store(rows, "training")
    nothing_but_training(store)
    ids = ",".join(store.ids)
    for page in ("compare", "optimizers", "bias_variance", "regularization"):
        assert "no metric of validation or test data" in words(visit(page, runs=ids)), page
    assert "train\\_loss 0\\.5" in words(visit("compare", runs=ids, metric="train_loss"))
    assert "Judged on training data" in words(visit("optimizers", runs=ids, dev="train_loss"))


def test_the_same_runs_are_judged_by_the_same_metric_on_every_page(
    rows: Any, client: Any, visit: Any, words: Any
) -> None:
    """sgd has the lower training loss, adam the lower test loss; and seconds are no error."""
    store = Store(rows, "train over test")
    for method, training, test in (("sgd", 0.01, 0.9), ("adam", 0.1, 0.4)):
        for seed in range(7):
            ends = {"train_loss": training, "test_loss": test, "train_acc": 1 - training, "test_acc": 1 - test}
            metrics = {key: [end + seed / 1000] * 3 for key, end in ends.items()} | {"Training time": 5.0 - training}
            store.run(f"{method} {seed}", {"optimizer": method, "seed": str(seed)}, metrics)
    ids = ",".join(store.ids)
    for page in ("compare", "optimizers"):
        head = next(element.value for element in visit(page, runs=ids).main.markdown if element.value.startswith("## "))
        assert (
            head.startswith(("## adam is better than sgd", "## optimizer adam is better")) and "test\\_loss" in head
        ), page
    for page in ("compare", "optimizers", "bias_variance", "regularization"):
        assert "Judged on test data" in words(visit(page, runs=ids)), page


def test_accuracy_on_test_data_alone_becomes_an_error_that_is_known_to_be_of_them(
    rows: Any, client: Any, visit: Any, words: Any
) -> None:
    store = Store(rows, "time as error")
    for size in (8, 16, 32):
        for seed in range(3):
            metrics = {"Test Accuracy": 0.8 + size / 1000 + seed / 1e4, "Training time": 100.0 * size + seed}
            store.run(f"{size} {seed}", {"Channel size": str(size), "seed": str(seed)}, metrics)
    text = words(visit("optimizers", runs=",".join(store.ids)))
    assert "1 − Test Accuracy" in text.replace("\\", "") and "Training time" not in text
    assert "Chosen on validation data: no" in text


def test_a_direction_that_was_assumed_is_said_in_the_headline(rows: Any, client: Any, visit: Any) -> None:
    store = Store(rows, "elbo")
    for method, end in (("a", -3.0), ("b", -5.0)):
        for seed in range(6):
            store.run(method, {"method": method, "seed": str(seed)}, {"elbo": end + seed / 100})
    for page in ("compare", "optimizers", "bias_variance"):
        at = visit(page, runs=",".join(store.ids))
        head = next(element.value for element in at.main.markdown if element.value.startswith("## "))
        assert "It is assumed that lower elbo is better" in head, page
    at = visit("compare", runs=",".join(store.ids), better="higher")
    assert "assumed" not in next(element.value for element in at.main.markdown if element.value.startswith("## "))


def test_a_strangers_loss_that_grew_is_named_and_counts(rows: Any, client: Any, visit: Any, words: Any) -> None:
    store = Store(rows, "grew")
    for method, last in (("a", 0.1), ("b", 4e24)):
        for seed in range(3):
            metrics = {"train_loss": [2.0, 1.0, last], "val_loss": [2.0, 1.0, last]}
            store.run(f"{method}{seed}", {"method": method, "seed": str(seed)}, metrics)
    for page in ("compare", "optimizers", "bias_variance", "regularization"):
        text = words(visit(page, runs=",".join(store.ids))).replace("\\", "")
        assert "ended more than 10 times above its first value in 3 runs (b0, b1 and b2)" in text, page

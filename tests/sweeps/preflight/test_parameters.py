"""The parameter counts that a check shows: of each setting, else of each architecture, against counts by hand."""

import itertools

from sweeps.preflight.check import Checker, as_text
from sweeps.preflight.cost_points import cost_plan
from sweeps.preflight.parameters import MOST_NAMED, parameter_counts, parameters_sentence
from sweeps.spec import parse

HEAD = "name: counts\ndata: {name: iris}\ntrainer: {max_epochs: 2, device: cpu}\nworkers: 1\n"
COUPLED = f"""{HEAD}
search:
  network:
    settings:
      wide: {{model.name: mlp, model.hidden_sizes: [20]}}
      deep: {{model.name: mlp, model.hidden_sizes: [9, 8]}}
      straight: {{model.name: softmax_regression}}
"""


def mlp(*sizes):
    """Weights and biases between layers of these sizes."""
    return sum((before + 1) * after for before, after in itertools.pairwise(sizes))


def built(plan):
    """The parameters of each architecture that a check would build, by hand."""
    models = {key: plan.architectures[key]["model"] for key in plan.built}
    return {key: mlp(4, *model.get("hidden_sizes", ()), 3) for key, model in models.items()}


def counts_of(text):
    plan = cost_plan(parse(text))
    return parameter_counts(plan, built(plan))


def test_a_check_builds_every_setting_and_says_how_many_parameters_it_has(tmp_path):
    checker = Checker(tmp_path)
    try:
        answer = checker.check(COUPLED, wait=170)
    finally:
        checker.close()
    expected = {"wide": mlp(4, 20, 3), "deep": mlp(4, 9, 8, 3), "straight": mlp(4, 3)}
    assert {row["what"]: (row["fewest"], row["most"]) for row in answer["parameters"]} == {
        setting: (count, count) for setting, count in expected.items()
    }
    assert "\nParameters: wide 163 · deep 152 · straight 15.\n" in as_text(answer) + "\n"


def test_what_is_searched_beside_the_settings_makes_a_range():
    text = f"{COUPLED}  model.norm: {{values: [none, batch]}}\n"
    plan = cost_plan(parse(text))
    counts = {
        key: count + (100 if plan.architectures[key]["model"].get("norm") == "batch" else 0)
        for key, count in built(plan).items()
    }
    rows = {row["what"]: (row["fewest"], row["most"]) for row in parameter_counts(plan, counts)}
    assert rows == {"wide": (163, 263), "deep": (152, 252), "straight": (15, 15)}


def test_settings_that_change_no_model_have_no_counts_of_their_own():
    pace = (
        "search: {pace: {settings: {slow: {optimizer.lr: 0.001, trainer.max_epochs: 3}, quick: {optimizer.lr: 0.1}}}}"
    )
    assert counts_of(f"{HEAD}model: {{name: mlp}}\n{pace}") == []


def test_architectures_are_named_by_the_fields_that_change_the_count():
    search = "search: {model.hidden_sizes: {values: [[4], [9]]}, model.activation: {values: [relu, tanh]},"
    rows = counts_of(f"{HEAD}model: {{name: mlp}}\n{search} data.batch_size: {{values: [16, 32]}}}}")
    assert [(row["what"], row["fewest"], row["most"]) for row in rows] == [
        ("hidden_sizes [4]", mlp(4, 4, 3), mlp(4, 4, 3)),
        ("hidden_sizes [9]", mlp(4, 9, 3), mlp(4, 9, 3)),
    ]


def test_nothing_is_said_where_all_have_as_many():
    assert counts_of(f"{HEAD}model: {{name: mlp}}\nsearch: {{data.batch_size: {{values: [16, 32]}}}}") == []
    assert parameters_sentence([]) == ""


def test_two_coupled_keys_are_told_apart():
    inputs = "  inputs: {settings: {few: {data.train_size: 20}, many: {data.train_size: 60}}}\n"
    assert [row["what"] for row in counts_of(COUPLED + inputs)] == [
        "network wide", "network deep", "network straight", "inputs few", "inputs many",
    ]  # fmt: skip


def test_every_setting_of_a_large_search_is_built_and_a_few_are_named():
    settings = ", ".join(f"s{size}: {{model.hidden_sizes: [{size}]}}" for size in range(1, 91))
    search = f"search: {{size: {{settings: {{{settings}}}}}, data.batch_size: {{values: [8, 16, 32]}}}}"
    rows = counts_of(f"{HEAD}model: {{name: mlp}}\n{search}")
    assert [row["what"] for row in rows] == [f"s{size}" for size in range(1, 91)]
    assert parameters_sentence(rows).endswith(f" · {90 - MOST_NAMED} more.")


def test_every_setting_that_a_sampler_may_choose_is_built_though_its_trials_are_few():
    rows = counts_of(f"{COUPLED}sampler: tpe\ntrials: 1\n")
    assert [row["what"] for row in rows] == ["wide", "deep", "straight"]

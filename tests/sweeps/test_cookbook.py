"""The examples of the cookbook, from their files to a sweep's results, as a person would have them."""

import json
import re
from pathlib import Path

import pytest
import torch

from sweeps.catalogue import load, user_models
from sweeps.catalogue import user_files as modules
from sweeps.preflight.parameters import parameters_sentence
from sweeps.search import enumerate_trials, seeds_for
from sweeps.spec import parse
from sweeps.training.train import train
from tracking import schema
from tracking.schema import Outcome

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "cookbook"
RECIPE = (FOLDER / "equal-parameters.md").read_text(encoding="utf-8")
GUIDE = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True, scope="module")
def cookbook(tmp_path_factory):
    """The cookbook as the folder of modules, read by a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWEEPBOARD_MODULES", str(FOLDER))
        patch.setattr(user_models, "background", False)
        patch.setenv("SWEEPBOARD_STATE", str(tmp_path_factory.mktemp("state")))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as workers have it where there are as many as cores
        yield
        torch.set_num_threads(threads)
    user_models._latest = user_models._Latest()


def trained(text):
    """(result, metrics of each epoch) of the first seed of every trial."""
    spec = parse(text)
    for trial in enumerate_trials(spec):
        result, records = trained_once(spec, trial)
        yield result, [record["metrics"] for kind, record in records if kind == "metrics"]


def trained_once(spec, trial):
    """(result, [(kind, record), ...]) of a trial's first seed."""
    records = []
    result = train({**trial.configuration, "seeds": seeds_for(spec, 0)}, lambda *record: records.append(record))
    return result, records


def written_in(text):
    """The sweep that stands in a page of the guide."""
    (indented,) = re.findall(r"\n\n(    name: .*?)\n\n", text, re.DOTALL)
    return "\n".join(line[4:] for line in indented.splitlines())


def test_every_example_is_in_the_guide_and_can_be_chosen():
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert len(names) == 3 and user_models.problems() == ()
    assert {name for name, entry in load().models.items() if entry.source} == names
    for name in names:
        assert f"[{name}.py]({name}.py) | `{name}`" in GUIDE
        entry = load().models[name]
        assert entry.summary.endswith(".") and all(field.help for field in entry.fields.values())


def test_the_guide_names_every_argument_that_the_data_decides():
    (table,) = re.findall(r"\| argument \| value \|\n(.*?)\n\n", GUIDE, re.DOTALL)
    assert sorted(re.findall(r"`(\w+)`", re.sub(r"\|[^|]*\|$", "|", table, flags=re.MULTILINE))) == sorted(modules.FED)


def test_the_sweep_in_the_guide_runs():
    text = written_in(GUIDE).replace("max_epochs: 10", "max_epochs: 2")
    results = list(trained(text))
    assert len(results) == 4
    for result, metrics in results:
        assert (result.outcome, result.error) == (Outcome.OK, None)
        assert result.objective == metrics[-1]["val/f1"]
        assert {"train/loss", "val/loss", schema.GRAD_NORM} <= set(metrics[0])


@pytest.mark.parametrize(
    ("model", "data", "metric", "direction", "good"),
    [("two_layers", "digits", "val_acc", "maximize", 0.9), ("gan", "moons", "val/distance", "minimize", 0.4)],
)
def test_the_others_learn(model, data, metric, direction, good):
    spec = {
        "name": model, "model": {"name": model}, "data": {"name": data}, "trainer": {"max_epochs": 10, "device": "cpu"},
        "objective": {"metric": metric, "direction": direction, "at": "best"},
    }  # fmt: skip
    ((result, metrics),) = trained(json.dumps(spec))
    assert (result.outcome, result.error, result.epochs) == (Outcome.OK, None, 10)
    assert result.objective > good if direction == "maximize" else result.objective < good
    assert schema.LR in metrics[0]


def test_the_recipe_for_equal_parameters_trains_networks_of_equal_size():
    spec = parse(written_in(RECIPE).replace("max_epochs: 20", "max_epochs: 1").replace("[0.001, 0.003]", "[0.001]"))
    parameters = {}
    for trial in enumerate_trials(spec):
        result, records = trained_once(spec, trial)
        assert (result.outcome, result.error) == (Outcome.OK, None)
        parameters[trial.params["network"]] = next(record["parameters"] for kind, record in records if kind == "info")
    # 61,706 is LeNet-5's published count; of the others, weights and biases of 64 inputs and ten classes.
    wide, deep = 65 * 823 + 824 * 10, 65 * 213 + 214 * 213 + 214 * 10
    assert parameters == {"convolutions": 61_706, "wide": wide, "deep": deep}
    assert max(parameters.values()) / min(parameters.values()) < 1.01
    sentence = parameters_sentence([{"what": w, "fewest": n, "most": n} for w, n in parameters.items()])
    assert f"\n    {sentence}\n" in RECIPE

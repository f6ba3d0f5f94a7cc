"""The ready-made sweeps are ready: valid, small enough for a lecture, and every part of them trains."""

from pathlib import Path

import pytest

from sweeps.search import count, enumerate_trials, seeds_for
from sweeps.spec import parse, to_yaml
from sweeps.yaml_text import read

LABS = sorted((Path(__file__).parents[1] / "labs").glob("*.yaml"))


def test_there_are_three():
    assert len(LABS) >= 3


@pytest.mark.parametrize("file", LABS, ids=lambda file: file.stem)
def test_a_lab_is_named_like_its_file_and_asks_a_question(file):
    spec = parse(file.read_text(encoding="utf-8"))
    assert spec.name == file.stem
    assert "?" in spec.question and spec.question.endswith(".")
    assert parse(to_yaml(spec)) == spec
    assert "workers" not in read(file.read_text(encoding="utf-8")), "a lab uses the machine it runs on"


@pytest.mark.parametrize("file", LABS, ids=lambda file: file.stem)
def test_a_lab_has_seeds_to_compare_and_ends_within_minutes(file):
    spec = parse(file.read_text(encoding="utf-8"))
    _, runs = count(spec)
    assert spec.seeds >= 3
    assert runs <= 150  # at about 1.5 s a run and two workers


@pytest.mark.parametrize("file", LABS, ids=lambda file: file.stem)
def test_a_lab_trains_with_every_model_and_optimizer_it_names(file):
    from sweeps.train import train
    from tracking.schema import Outcome

    spec = parse(file.read_text(encoding="utf-8"))
    tried = {}
    for trial in enumerate_trials(spec):
        names = tuple(trial.configuration[section]["name"] for section in ("model", "data", "optimizer", "schedule"))
        tried.setdefault(names, trial.configuration)
    for configuration in tried.values():
        trainer = {**configuration["trainer"], "max_epochs": 1, "device": "cpu"}
        result = train({**configuration, "trainer": trainer, "seeds": seeds_for(spec, 0)})
        assert result.outcome is Outcome.OK, result.error
        assert result.objective is not None

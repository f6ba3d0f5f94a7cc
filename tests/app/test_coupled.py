"""A sweep of coupled settings, trained by a real service: its runs, and how the command line and pages name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.launch import form
from app.shared import ui
from sweeps import __main__ as cli
from sweeps import spec as specs
from sweeps.spec.coupled import TAKEN
from tracking import schema, sweep_frames
from tracking.reader import open_reader

CLAIM = "The hidden layer helps."
SPEC = f"""
name: equal-parameters
model: {{name: mlp}}
data: {{name: iris}}
trainer: {{max_epochs: 2, device: cpu}}
search:
  cell:
    settings:
      narrow: {{model.name: mlp, model.hidden_sizes: [4]}}
      straight: {{model.name: softmax_regression, optimizer.lr: 0.1}}
seeds: 2
claim: {{text: {CLAIM}, better: {{cell: narrow}}, than: {{cell: straight}}}}
workers: 1
"""
PARAMETERS = {"narrow": (4 + 1) * 4 + (4 + 1) * 3, "straight": (4 + 1) * 3}
"""Weights and biases: four features, a hidden layer of four, three classes."""


def column(at: Any, name: str) -> set[str]:
    """The values of a column in whichever table of the page has it."""
    return {str(value) for table in at.dataframe if name in table.value for value in table.value[name]}


@pytest.mark.timeout(240)
def test_runs_train_their_setting_and_every_page_names_it(
    uri: str, visit: Any, words: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "equal.yaml"
    file.write_text(SPEC, encoding="utf-8")
    assert cli.main(["run", str(file), "--wait", "--tracking-uri", uri]) == 0
    assert "4 runs, 4 ok. Best: cell " in capsys.readouterr().out

    reader = open_reader(uri)
    (row,) = sweep_frames.sweeps(reader).to_dict("records")
    sweep = row["sweep"]
    assert row["searched"] == ["cell"] and row["best_name"] in ("cell narrow", "cell straight")
    runs = sweep_frames.sweep_runs(reader, sweep)
    assert sorted(runs["cell"]) == ["narrow", "narrow", "straight", "straight"]
    assert set(runs) - {"cell"} <= TAKEN, "no coupled key can hide a column"
    assert set(runs["name"]) == {f"cell {cell} · seed {seed}" for cell in PARAMETERS for seed in (0, 1)}
    assert runs.groupby("cell")["group"].nunique().tolist() == [1, 1] and runs["group"].nunique() == 2
    tags = reader.tags(runs["run_id"]).pivot(index="run_id", columns="key", values="value")
    params = reader.params(runs["run_id"]).pivot(index="run_id", columns="key", values="value")
    for run, cell in zip(runs["run_id"], runs["cell"], strict=True):
        assert int(tags.loc[run, "parameters"]) == PARAMETERS[cell]
        assert json.loads(tags.loc[run, schema.PARAMS]) == {"cell": cell}
        model = {"narrow": "mlp", "straight": "softmax_regression"}[cell]
        assert (params.loc[run, "cell"], params.loc[run, "model.name"]) == (cell, model)

    assert cli.main(["show", sweep, "--tracking-uri", uri]) == 0
    shown = capsys.readouterr().out
    assert "\ncell straight " in shown and "\ncell narrow " in shown
    assert "lower with cell narrow than with cell straight" in shown

    at = visit("sweep", sweep=sweep)
    assert column(at, "cell") == {"narrow", "straight"} and CLAIM.rstrip(".") in words(at)
    at = visit("compare", sweep=sweep)
    assert {"cell narrow", "cell straight"} <= column(at, "group")
    assert at.multiselect(key="varied").value == ["cell"]
    warning = next(text.value for text in at.markdown if "Not only cell differs" in text.value)
    assert "hidden" not in warning and "lr" not in warning, "what the settings set belongs to them"
    assert column(visit("runs"), "params.cell") == {"narrow", "straight"}
    at = visit("optimizers", sweep=sweep)
    assert at.selectbox(key="method").value == "cell" and column(at, "method") == {"narrow", "straight"}
    for page in ("bias_variance", "regularization", "quality"):
        assert "2 groups of equal" in words(visit(page, sweep=sweep))
    assert shown_of(visit("launch", copy=sweep)) == shown_of_text(SPEC)


def shown_of_text(text: str) -> Any:
    return specs.yaml_text.read(specs.to_yaml(specs.parse(text)))


def shown_of(at: Any) -> Any:
    """The sweep beside the form."""
    assert not at.error
    return specs.yaml_text.read(at.code[0].value)


# The launch form


def pasted(at: Any, text: str) -> Any:
    at.text_area(key="_pasted").set_value(text)
    return at.button(key="_use_yaml").click().run()


def editor_of(at: Any, name: str = "cell") -> Any:
    return next(area for area in at.text_area if (area.key or "").endswith(f":{name}:settings"))


def test_the_form_keeps_settings_that_were_pasted_and_lets_them_be_edited(fake: Any, open_page: Any) -> None:
    at = pasted(open_page("launch"), SPEC)
    assert shown_of(at) == shown_of_text(SPEC)
    editor = editor_of(at)
    at = editor.set_value(editor.value.replace("[4]", "[5, 6]")).run()
    assert shown_of(at) == shown_of_text(SPEC.replace("[4]", "[5, 6]"))
    button = next(button for button in at.button if button.label == "Launch")
    button.click().run()
    (text,) = fake.client.launched
    assert specs.parse(text) == specs.parse(SPEC.replace("[4]", "[5, 6]"))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("{a: {model.name: mlpp}}", "did you mean mlp?"),
        ("a: [", "is not allowed; allowed: a mapping of names to settings"),
        ("", "is not allowed; allowed: a mapping of names to settings"),
    ],
)
def test_what_is_wrong_with_edited_settings_is_said_and_the_form_stays(
    open_page: Any, typed: str, sentence: str
) -> None:
    at = pasted(open_page("launch"), SPEC.replace("claim:", "# "))
    at = editor_of(at).set_value(typed).run()
    assert not at.exception and any(ui.text(sentence) in error.value for error in at.error)
    assert editor_of(at).value == typed


def test_settings_are_taken_out_again_and_the_model_is_chosen_below(open_page: Any) -> None:
    at = pasted(open_page("launch"), SPEC.replace("claim:", "# "))
    names = [box.key for box in at.selectbox if (box.key or "").endswith(":model.name")]
    assert names == [], "every setting chooses a model"
    remove = next(b for b in at.button if (b.key or "").startswith("icon-fix-") and b.key.endswith(":cell"))
    at = remove.click().run()
    assert "search" not in shown_of(at) and shown_of(at)["model"]["name"] == "mlp"
    assert [box.value for box in at.selectbox if (box.key or "").endswith(":model.name")] == ["mlp"]


def test_what_settings_leave_out_stays_in_the_form_and_what_they_set_is_not_offered(open_page: Any) -> None:
    text = SPEC.replace("{model.name: mlp, model.hidden_sizes: [4]}", "{model.hidden_sizes: [4]}")
    at = pasted(open_page("launch"), text)
    assert shown_of(at) == shown_of_text(text)
    assert [box.value for box in at.selectbox if (box.key or "").endswith(":model.name")] == ["mlp"]
    add = next(box for box in at.selectbox if (box.key or "").endswith(":add"))
    assert "model.activation" in add.options and "model.hidden_sizes" not in add.options


def test_winners_may_be_confirmed_for_each_setting(open_page: Any) -> None:
    at = pasted(open_page("launch"), SPEC + "confirm: {per: cell, seeds: 3}\n")
    assert shown_of(at)["confirm"] == {"top": 1, "per": "cell", "seeds": 3}
    assert form.combinations({"cell": {"settings": {"a": {}, "b": {}}}, "x": {"values": [1, 2, 3]}}) == 6

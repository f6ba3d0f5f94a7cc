"""The launch form: good as it opens, faithful to YAML both ways, one sentence for each problem."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.launch import form, state
from app.shared import store, ui
from sweeps import search, spec
from sweeps.catalogue import load
from sweeps.preflight.decidable import plan_of

SPEC = """
name: copied
question: Does it copy?
model: {name: mlp, hidden_sizes: [16, 8]}
data: {name: iris, batch_size: full}
optimizer: {name: sgd}
trainer: {max_epochs: 7}
search:
  optimizer.lr: {values: [0.01, 0.5]}
  model.activation: {values: [relu, tanh]}
seeds: 4
"""


def launch_button(at: Any) -> Any:
    """The button in the bar at the bottom."""
    return next(button for button in at.button if button.label == "Launch")


def shown(at: Any) -> dict[str, Any]:
    """The YAML beside the form."""
    return yaml.safe_load(at.code[0].value)


def press(at: Any, name: str) -> Any:
    """A field's icon button: `vary:optimizer.lr` tries several values, `fix:...` only one."""
    kind, _, key = name.partition(":")
    return next(
        b for b in at.button if (b.key or "").startswith(f"icon-{kind}-") and b.key.split(":")[1].split("@")[0] == key
    )


def test_as_it_opens_it_is_a_good_sweep_one_click_away(fake: Any, open_page: Any) -> None:
    at = open_page("launch")
    assert not at.error and not launch_button(at).disabled
    launch_button(at).click().run()
    (text,) = fake.client.launched
    parsed = spec.parse(text)
    trials, runs = search.count(parsed)
    assert parsed.seeds >= 3 and parsed.question and len(parsed.names("optimizer")) >= 3 and 20 <= runs <= 100
    assert runs == trials * parsed.seeds


def test_the_first_sweep_is_valid_and_says_what_the_form_says(open_page: Any) -> None:
    at = open_page("launch")
    assert spec.parse(at.code[0].value) == spec.check(state.FIRST)


def test_the_number_of_runs_is_shown_before_the_button(open_page: Any, words: Any) -> None:
    trials, runs = search.count(spec.check(state.FIRST))
    assert f"**{runs} runs** = {trials} configurations × 6 seeds" in words(open_page("launch"))


def test_what_the_seeds_can_decide_is_said_before_anything_is_launched(fake: Any, open_page: Any, words: Any) -> None:
    at = open_page("launch")
    assert ui.text("6 seeds can decide: an exact test needs 6.") in words(at)
    at.number_input(key=form_key("seeds")).set_value(3).run()
    assert ui.text("Too few seeds: at least 3 more make a verdict possible, as an exact test needs 6.") in words(at)
    at.button(key="drop-claim").click().run()
    sentence = "Too few seeds: at least 10 more make a verdict possible, as exact tests of 120 pairs of configurations"
    assert ui.text(sentence) in words(at) and ui.text("need 13. One claim needs 6.") in words(at)
    at.number_input(key=form_key("seeds")).set_value(13).run()
    assert ui.text("13 seeds can decide: exact tests of 120 pairs") in words(at) and not fake.client.launched


def test_the_first_sweep_and_the_readme_state_one_claim_that_their_seeds_can_decide() -> None:
    first = spec.check(state.FIRST)
    assert len(first.claim) == 1 and plan_of(first).missing == 0 and first.seeds == plan_of(first).needed == 6
    readme = (Path(form.__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = readme.partition("A sweep, written down:")[2].partition("\n## ")[0]
    assert spec.parse(textwrap.dedent(example)) == first


def test_the_claim_of_the_first_sweep_goes_when_it_fits_no_more(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    assert shown(at)["claim"]["text"] == state.FIRST["claim"]["text"]
    at.multiselect(key=form_key("optimizer.name:values")).set_value(["momentum", "adam"]).run()
    assert not at.error and "claim" not in shown(at) and not launch_button(at).disabled
    assert ui.text(state.FIRST["claim"]["text"]) not in words(at)


def test_the_form_offers_the_metrics_of_the_data_each_in_its_direction(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    at.selectbox(key=form_key("data.name")).set_value("label_sets").run()
    metric = at.selectbox(key=form_key("objective.metric@choice"))
    assert (
        metric.options[:4] == ["val/loss", "val/error", "val/f1_micro", "val/f1_macro"] and metric.value == "val/loss"
    )
    assert "The share of labels that are wrong" in metric.help
    metric.set_value("val/f1_macro").run()
    assert shown(at)["objective"] == {"metric": "val/f1_macro", "direction": "maximize"}
    assert "claim" not in shown(at) and "comes lower" not in words(at), "of F1 lower is worse"
    at.selectbox(key=form_key("objective.direction@val/f1_macro")).set_value("minimize").run()
    assert shown(at)["objective"] == {"metric": "val/f1_macro", "direction": "minimize"}, "as the user says"
    at.selectbox(key=form_key("data.name")).set_value("digits").run()
    assert shown(at)["objective"] == {"metric": "val/loss", "direction": "minimize"} and not at.error


def test_typing_changes_the_yaml(open_page: Any) -> None:
    at = open_page("launch")
    at.number_input(key=form_key("seeds")).set_value(5).run()
    at.text_input(key=form_key("model.hidden_sizes@mlp")).set_value("128, 64").run()
    at.selectbox(key=form_key("model.activation@mlp")).set_value("tanh").run()
    at.text_input(key=form_key("data.batch_size@digits")).set_value("full").run()
    written = shown(at)
    assert written["seeds"] == 5 and written["model"]["hidden_sizes"] == [128, 64]
    assert written["model"]["activation"] == "tanh" and written["data"]["batch_size"] == "full"
    assert not at.error


def form_key(name: str, generation: int = 0) -> str:
    """The key of a widget of the form."""
    return f"f{generation}:{name}"


def test_any_field_can_be_given_several_values_and_one_again(open_page: Any) -> None:
    at = open_page("launch")
    press(at, "vary:model.hidden_sizes").click().run()
    at.text_input(key=form_key("model.hidden_sizes:values")).set_value("32; 64, 64; 128").run()
    assert shown(at)["search"]["model.hidden_sizes"] == {"values": [[32], [64, 64], [128]]}
    press(at, "vary:data.label_noise").click().run()
    at.segmented_control(key=form_key("data.label_noise:how")).set_value("Range").run()
    at.text_input(key=form_key("data.label_noise:low")).set_value("0").run()
    at.text_input(key=form_key("data.label_noise:high")).set_value("0.4").run()
    at.checkbox(key=form_key("data.label_noise:log")).uncheck().run()
    assert shown(at)["search"]["data.label_noise"] == {"low": 0.0, "high": 0.4, "steps": 3}
    press(at, "fix:optimizer.name").click().run()
    assert "optimizer.name" not in shown(at)["search"] and not at.error


def test_a_random_search_asks_for_its_trials(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    at.selectbox(key=form_key("sampler")).set_value("random").run()
    at.number_input(key=form_key("trials")).set_value(7).run()
    assert shown(at)["trials"] == 7 and "**42 runs** = 7 configurations" in words(at)


FULL = """
name: in full
model: {name: mlp, hidden_sizes: [16]}
data: {name: iris}
trainer: {max_epochs: 9}
record: {regions: false}
search:
  optimizer.name: {values: [sgd, adam]}
  optimizer.lr: {low: 0.001, high: 1.0, log: true}
sampler: tpe
trials: 12
pruner: hyperband
seeds: 2
confirm: {top: 2, per: optimizer.name, seeds: 5}
workers: 3
"""


@pytest.mark.parametrize("sampler", [name for name in spec.SAMPLERS if name != "grid"])
def test_every_sampler_but_the_grid_asks_for_its_trials(open_page: Any, words: Any, sampler: str) -> None:
    at = open_page("launch")
    assert form_key("trials") not in {field.key for field in at.number_input}
    at.selectbox(key=form_key("sampler")).set_value(sampler).run()
    at.number_input(key=form_key("trials")).set_value(11).run()
    assert (shown(at)["sampler"], shown(at)["trials"]) == (sampler, 11) and not at.error
    assert "**66 runs** = 11 configurations × 6 seeds" in words(at)


def test_a_pruner_makes_the_number_of_runs_the_most_there_can_be(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    assert "pruner" not in shown(at)
    at.selectbox(key=form_key("pruner")).set_value("median").run()
    trials, runs = search.count(spec.check(state.FIRST))
    assert shown(at)["pruner"] == "median" and f"up to **{runs} runs** = {trials} configurations" in words(at)


def test_winners_are_confirmed_by_a_switch(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    assert "confirm" not in shown(at)
    at.toggle(key=form_key("confirm")).set_value(True).run()
    assert shown(at)["confirm"] == {"top": 1, "seeds": 10}
    at.selectbox(key=form_key("confirm.per")).set_value("optimizer.name").run()
    at.number_input(key=form_key("confirm.top")).set_value(2).run()
    at.number_input(key=form_key("confirm.seeds")).set_value(6).run()
    assert shown(at)["confirm"] == {"top": 2, "per": "optimizer.name", "seeds": 6} and not at.error
    _, runs = search.count(spec.parse(at.code[0].value))
    assert f"**{runs} runs** = 16 configurations × 6 seeds + 48 to confirm" in words(at) and runs == 144
    at.toggle(key=form_key("confirm")).set_value(False).run()
    assert "confirm" not in shown(at)


def test_only_keys_with_listed_values_have_winners_of_their_own(open_page: Any) -> None:
    at = open_page("launch")
    at.selectbox(key=form_key("sampler")).set_value("tpe").run()
    at.toggle(key=form_key("confirm")).set_value(True).run()
    at.text_input(key=form_key("optimizer.lr:steps")).set_value("").run()
    assert at.selectbox(key=form_key("confirm.per")).options == ["the whole sweep", "optimizer.name"]
    at.selectbox(key=form_key("confirm.per")).set_value("optimizer.name").run()
    press(at, "fix:optimizer.name").click().run()
    assert not at.error and "per" not in shown(at)["confirm"], "a key that is searched no more is no choice"


def test_a_sweep_in_full_comes_back_from_the_form_as_it_was(fake: Any, open_page: Any) -> None:
    fake.add("old", "finished", {("a", 1.0): ["ok"]})
    fake.spec = FULL
    at = open_page("launch", copy="old")
    assert not at.error and spec.parse(at.code[0].value) == spec.parse(FULL)
    launch_button(at).click().run()
    assert spec.parse(fake.client.launched[0]) == spec.parse(FULL)


def test_a_copy_without_confirm_turns_the_switch_off(fake: Any, open_page: Any) -> None:
    fake.labs = {
        "full": {"text": FULL, "name": "full", "question": "", "trials": 1, "runs": 1},
        "plain": {"text": SPEC, "name": "plain", "question": "", "trials": 1, "runs": 1},
    }
    at = open_page("launch", lab="full")
    assert "confirm" in shown(at) and shown(at)["pruner"] == "hyperband"
    at.selectbox(key="_start_from").set_value(("lab", "plain")).run()
    assert spec.parse(at.code[0].value) == spec.parse(SPEC)


def test_files_of_the_data_folder_are_offered_for_a_path(
    open_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "houses.csv").write_text("size,price\n1,2\n")
    (tmp_path / "notes.md").write_text("no table")
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    at = open_page("launch")
    at.selectbox(key=form_key("data.name")).set_value("csv_regression").run()
    path = at.selectbox(key=form_key("data.path@csv_regression"))
    assert path.options == ["", "houses.csv"]
    path.set_value("houses.csv").run()
    assert shown(at)["data"]["path"] == "houses.csv"


def test_what_keeps_the_users_modules_out_is_said(open_page: Any, monkeypatch: pytest.MonkeyPatch, words: Any) -> None:
    from sweeps.catalogue import user_models

    monkeypatch.setattr(user_models, "problems", lambda: ("my_model.py: the class *Net* has no loss.",))
    assert ui.text("my_model.py: the class *Net* has no loss.") in words(open_page("launch"))


def test_a_model_of_the_users_own_is_ranked_by_any_metric_it_logs(
    open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweeps.catalogue import Entry, user_models
    from sweeps.fields import Field

    size = Field("size", "int", None, required=True)
    models = user_models.UserModels({"mine": Entry("mine", "Mine.", "", {"size": size}, ("multiclass",), foreign=True)})
    monkeypatch.setattr(user_models, "current", lambda: models)
    at = open_page("launch")
    assert at.selectbox(key=form_key("objective.metric@choice")).value == "val/loss"
    at.selectbox(key=form_key("model.name")).set_value("mine").run()
    assert "model.size: missing" in at.error[0].value.replace("\\", "") and launch_button(at).disabled
    at.number_input(key=form_key("model.size@mine")).set_value(3).run()
    at.text_input(key=form_key("objective.metric@str")).set_value("val_f1").run()
    assert shown(at)["objective"]["metric"] == "val_f1" and shown(at)["model"] == {"name": "mine", "size": 3}
    assert not at.error and not launch_button(at).disabled
    at.selectbox(key=form_key("model.name")).set_value("mlp").run()
    assert shown(at)["objective"]["metric"] == "val/loss" and not at.error


@pytest.mark.parametrize(
    ("key", "typed", "sentence"),
    [
        ("optimizer.lr:low", "nan", "search.optimizer.lr.low"),
        ("optimizer.lr:steps", "", "search.optimizer.lr.steps"),
        ("model.hidden_sizes@mlp", "64, x", "model.hidden_sizes"),
        ("data.label_noise@digits", "lots", "data.label_noise"),
    ],
)
def test_a_wrong_value_is_one_sentence_and_no_button(open_page: Any, key: str, typed: str, sentence: str) -> None:
    at = open_page("launch")
    at.text_input(key=form_key(key)).set_value(typed).run()
    assert len(at.error) == 1 and ui.text(sentence) in at.error[0].value and "allowed" in at.error[0].value
    assert launch_button(at).disabled


def test_empty_values_and_too_many_runs_are_refused(open_page: Any) -> None:
    at = open_page("launch")
    at.multiselect(key=form_key("optimizer.name:values")).set_value([]).run()
    assert "optimizer\\.name" in at.error[0].value and launch_button(at).disabled
    at.multiselect(key=form_key("optimizer.name:values")).set_value(["adam"]).run()
    at.text_input(key=form_key("optimizer.lr:steps")).set_value("1000").run()
    at.number_input(key=form_key("seeds")).set_value(1000).run()
    assert "100,000" in at.error[0].value and launch_button(at).disabled


def test_only_models_that_fit_the_data_are_offered(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    at.selectbox(key=form_key("data.name")).set_value("diabetes").run()
    model = at.selectbox(key=form_key("model.name"))
    catalogue = load()
    assert model.options == catalogue.models_for("diabetes")
    assert ui.text("Not offered for diabetes (a regression)") in words(at)
    assert not at.error and shown(at)["data"]["name"] == "diabetes"


def test_only_losses_that_fit_the_data_are_offered(open_page: Any) -> None:
    at = open_page("launch")
    at.selectbox(key=form_key("model.loss@mlp")).set_value("hinge").run()
    assert shown(at)["model"]["loss"] == "hinge" and not at.error
    at.selectbox(key=form_key("data.name")).set_value("diabetes").run()
    assert at.selectbox(key=form_key("model.loss@mlp")).options == ["auto", "squared", "absolute"]
    assert not at.exception and "loss" not in shown(at)["model"]
    press(at, "vary:model.loss").click().run()
    assert at.multiselect(key=form_key("model.loss:values")).options == ["auto", "squared", "absolute"]
    at.selectbox(key=form_key("data.name")).set_value("label_sets").run()
    assert at.multiselect(key=form_key("model.loss:values")).options == ["auto", "cross_entropy"]
    assert not at.exception


def test_every_data_set_and_model_of_the_catalogue_makes_a_form_that_can_be_launched(open_page: Any) -> None:
    at = open_page("launch")
    for dataset, entry in load().datasets.items():
        at.selectbox(key=form_key("data.name")).set_value(dataset).run()
        assert not at.exception, dataset
        for field in entry.fields.values():
            if field.required:
                assert any(error.value.startswith(ui.text(f"data.{field.name}: missing")) for error in at.error)
                assert launch_button(at).disabled
                at.text_input(key=form_key(f"data.{field.name}@{dataset}")).set_value("a file").run()
        assert not at.error, dataset
        assert not launch_button(at).disabled


@pytest.mark.parametrize("where", ["trainer: {device: cuda:1}", "search: {trainer.device: {values: [cpu, cuda:1]}}"])
def test_one_of_several_gpus_can_be_named(where: str, open_page: Any) -> None:
    at = open_page("launch")
    text = "{name: a, model: {name: mlp}, data: {name: digits}, " + where + "}"
    at.text_area(key="_pasted").set_value(text)
    at.button(key="_use_yaml").click().run()
    assert not at.error and spec.parse(at.code[0].value) == spec.parse(text)


def test_pasted_yaml_becomes_the_form(fake: Any, open_page: Any) -> None:
    at = open_page("launch")
    at.text_area(key="_pasted").set_value(SPEC)
    at.button(key="_use_yaml").click().run()
    assert not at.exception and not at.error
    assert at.text_input(key=form_key("name", 1)).value == "copied"
    launch_button(at).click().run()
    assert spec.parse(fake.client.launched[0]) == spec.parse(SPEC)


@pytest.mark.parametrize(
    "text",
    ["- a\n- list", "name: [", "name: x\nmodle: {name: mlp}", "name: x\nmodel: {name: mpl}\ndata: {name: iris}", ""],
)
def test_bad_yaml_is_a_sentence_and_leaves_the_form(open_page: Any, text: str) -> None:
    at = open_page("launch")
    before = at.code[0].value
    at.text_area(key="_pasted").set_value(text)
    at.button(key="_use_yaml").click().run()
    assert at.error and not at.exception
    assert at.code[0].value == before and not launch_button(at).disabled


def test_a_copy_of_an_earlier_sweep(fake: Any, open_page: Any) -> None:
    fake.add("old", "finished", {("a", 1.0): ["ok"]})
    fake.spec = SPEC
    at = open_page("launch", copy="old")
    assert spec.parse(at.code[0].value) == spec.parse(SPEC)
    at.number_input(key=form_key("seeds", 1)).set_value(9).run()
    assert shown(at)["seeds"] == 9, "the URL fills the form once, not at every run"


def test_a_copy_of_nothing_is_a_sentence(open_page: Any) -> None:
    at = open_page("launch", copy="<b>gone")
    assert [error.value for error in at.error] == [ui.text("There is no sweep <b>gone in this store to copy.")]


def test_a_lab_fills_the_form(fake: Any, open_page: Any) -> None:
    fake.labs = {"a": {"text": SPEC, "name": "a", "question": "q", "trials": 4, "runs": 16}}
    at = open_page("launch", lab="a")
    assert spec.parse(at.code[0].value) == spec.parse(SPEC)
    at = open_page("launch")
    at.selectbox(key="_start_from").set_value(("lab", "a")).run()
    assert spec.parse(at.code[0].value) == spec.parse(SPEC) and at.selectbox(key="_start_from").value is None


def test_what_the_service_refuses_is_said(fake: Any, open_page: Any) -> None:
    from sweeps.client import CommandError

    fake.client.fails = CommandError("the store is *full*")
    at = open_page("launch")
    launch_button(at).click().run()
    assert [error.value for error in at.error] == [ui.text("the store is *full*")]


@pytest.mark.parametrize("lab", sorted(path.stem for path in store.LABS.glob("*.yaml")))
def test_the_form_gives_every_lab_back_as_it_is(fake: Any, open_page: Any, lab: str) -> None:
    text = (store.LABS / f"{lab}.yaml").read_text()
    fake.labs = {lab: {"text": text, "name": lab, "question": "", "trials": 1, "runs": 1}}
    at = open_page("launch", lab=lab)
    assert spec.parse(at.code[0].value) == spec.parse(text) and not at.error


CLAIMED = """
name: claims
model: {name: mlp, hidden_sizes: [8]}
data: {name: iris}
search:
  optimizer.name: {values: [sgd, adam]}
  optimizer.lr: {values: [0.01, 0.1]}
replicate: {datasets: 4, inits: 3}
claim:
  - {text: Adam is <b>better</b>., better: {optimizer.name: adam}, than: {optimizer.name: sgd}, metric: val/error}
  - {text: And faster., better: {optimizer.name: adam, optimizer.lr: 0.1}, than: {optimizer.name: sgd}, margin: 0.5}
"""


@pytest.fixture
def claimed(fake: Any, open_page: Any) -> Any:
    """The page with a sweep that claims and replicates."""
    plain = {"text": SPEC, "name": "plain", "question": "", "trials": 4, "runs": 16}
    fake.labs = {"claims": {"text": CLAIMED, "name": "claims", "question": "", "trials": 4, "runs": 48}, "plain": plain}
    return open_page("launch", lab="claims")


def buttons(at: Any) -> list[str]:
    """The keys of the buttons that drop the claim."""
    return [button.key for button in at.button if button.label == "Drop the claim"]


def test_a_lab_with_claims_and_replicates_is_launched_as_it_is(fake: Any, claimed: Any, words: Any) -> None:
    assert not claimed.error and spec.parse(claimed.code[0].value) == spec.parse(CLAIMED)
    assert ui.text("Adam is <b>better</b>.") in words(claimed) and "And faster" in words(claimed)
    assert "**48 runs** = 4 configurations × 4 data sets × 3 initialisations" in words(claimed)
    launch_button(claimed).click().run()
    assert spec.parse(fake.client.launched[0]) == spec.parse(CLAIMED)


def test_edited_it_keeps_its_claims_and_replicates(claimed: Any) -> None:
    claimed.number_input(key=form_key("replicate.inits", 1)).set_value(2).run()
    claimed.text_input(key=form_key("model.hidden_sizes@mlp", 1)).set_value("16").run()
    claimed.selectbox(key=form_key("objective.metric@choice", 1)).set_value("train/loss").run()
    sweep = spec.parse(claimed.code[0].value)
    assert sweep.seeds == 8 and sweep.model["hidden_sizes"] == [16] and sweep.objective.metric == "train/loss"
    assert sweep.claim == spec.parse(CLAIMED).claim, "what is claimed does not change with what trials are ranked by"


def test_replicates_take_the_place_of_seeds_pruner_and_confirm(open_page: Any, words: Any) -> None:
    at = open_page("launch")
    replaced = {form_key("seeds"), form_key("pruner"), form_key("confirm"), form_key("vary")}

    def keys() -> set[str]:
        return {widget.key for kind in (at.number_input, at.selectbox, at.toggle, at.multiselect) for widget in kind}

    at.selectbox(key=form_key("pruner")).set_value("median").run()
    at.toggle(key=form_key("confirm")).set_value(True).run()
    at.multiselect(key=form_key("vary")).set_value(["init"]).run()
    before = shown(at)
    assert replaced <= keys() and before["vary"] == ["init"]
    at.toggle(key=form_key("replicate")).set_value(True).run()
    assert not at.error and not replaced & keys()
    at.number_input(key=form_key("replicate.datasets")).set_value(5).run()
    written = shown(at)
    assert written["replicate"] == {"datasets": 5, "inits": 4}
    assert not {"seeds", "pruner", "confirm", "vary"} & set(written)
    at.number_input(key=form_key("replicate.datasets")).set_value(501).run()
    assert ui.text("at most 1,000 runs of each trial") in at.error[0].value and launch_button(at).disabled
    at.toggle(key=form_key("replicate")).set_value(False).run()
    assert shown(at) == before and not at.error, "what was typed before is there again"


def test_a_copy_without_replicates_turns_the_switch_off(claimed: Any) -> None:
    claimed.selectbox(key="_start_from").set_value(("lab", "plain")).run()
    assert spec.parse(claimed.code[0].value) == spec.parse(SPEC) and buttons(claimed) == []


def test_a_claim_that_fits_the_search_no_more_is_mended_or_dropped(claimed: Any, words: Any) -> None:
    assert buttons(claimed) == ["drop-claim"]
    claimed.text_input(key=form_key("optimizer.lr:values", 1)).set_value("0.01, 0.2").run()
    assert [error.value for error in claimed.error] == [
        ui.text("claim.2.better.optimizer.lr: 0.1 is not allowed; allowed: what the search tries: 0.01, 0.2.")
    ]
    assert launch_button(claimed).disabled and len(buttons(claimed)) == 2
    claimed.text_input(key=form_key("optimizer.lr:values", 1)).set_value("0.01, 0.1, 0.2").run()
    assert not claimed.error and buttons(claimed) == ["drop-claim"]
    claimed.multiselect(key=form_key("optimizer.name:values", 1)).set_value(["sgd"]).run()
    assert len(claimed.error) == 2
    claimed.button(key="drop-claim-that-misfits").click().run()
    assert not claimed.error and "claim" not in shown(claimed) and "And faster" not in words(claimed)
    assert not launch_button(claimed).disabled and buttons(claimed) == []


def test_a_claim_is_dropped_for_this_form_alone(claimed: Any) -> None:
    claimed.button(key="drop-claim").click().run()
    assert "claim" not in shown(claimed)
    claimed.selectbox(key="_start_from").set_value(("lab", "claims")).run()
    assert spec.parse(claimed.code[0].value) == spec.parse(CLAIMED)

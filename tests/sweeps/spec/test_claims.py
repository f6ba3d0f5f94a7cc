"""What a sweep may claim: about runs that it makes, with values that it tries."""

from dataclasses import FrozenInstanceError

import pytest
from good_sweep import CLAIM, changed, claimed, problems, searched

from sweeps.spec import check, configuration


def test_a_claim_is_judged_like_the_sweep_unless_it_says_otherwise():
    highest = {"metric": "val/error", "direction": "maximize"}
    (claim,) = check(changed(claim=CLAIM, objective=highest)).claim
    assert (claim.metric, claim.direction, claim.margin) == ("val/error", "maximize", None)
    (claim,) = check(changed(claim={**CLAIM, "metric": "val/loss"}, objective=highest)).claim
    assert (claim.metric, claim.direction) == ("val/loss", "minimize")
    (claim,) = check(claimed(direction="maximize", margin="1e-2", text="  one\n  line ")).claim
    assert (claim.direction, claim.margin, claim.text) == ("maximize", 0.01, "one line")
    with pytest.raises(FrozenInstanceError):
        claim.margin = 1.0


def test_a_claim_is_no_part_of_a_configuration():
    assert configuration(check(changed(claim=CLAIM))) == configuration(check(changed()))
    assert check({**changed(), "claim": None}) == check(changed()) and check(changed()).claim == ()


@pytest.mark.parametrize(
    ("axis", "written", "read"),
    [
        ({"low": 0.001, "high": 0.1, "log": True, "steps": 3}, "1e-2", 0.01),
        ({"low": 1e-4, "high": 1.0, "log": True, "steps": 9}, 10**-3.5, 0.000316227766017),
        ({"values": [1, 0.1]}, 1, 1.0),
    ],
)
def test_a_claim_holds_the_values_that_the_search_tries(axis, written, read):
    others = [value for value in check(searched("optimizer.lr", axis)).search["optimizer.lr"].points if value != read]
    side = {"optimizer.lr": written}
    raw = searched("optimizer.lr", axis, claim={**CLAIM, "better": side, "than": {"optimizer.lr": others[0]}})
    (claim,) = check(raw).claim
    assert repr(claim.better["optimizer.lr"]) == repr(read)


def test_within_a_range_without_steps_a_claim_may_name_any_value():
    search = {"optimizer.lr": {"low": 0.1, "high": 1}, "data.batch_size": {"low": 8, "high": 64}}
    raw = changed(search=search, sampler="random", trials=5)
    for key, inside, outside in (("optimizer.lr", 0.3, 2), ("data.batch_size", 9, 8.5)):
        assert check({**raw, "claim": {"text": "a", "better": {key: inside}, "than": {key: search[key]["low"]}}})
        (sentence,) = problems({**raw, "claim": {"text": "a", "better": {key: inside}, "than": {key: outside}}})
        assert sentence.startswith(f"claim.than.{key}: {outside} is not allowed; allowed: a ")
        assert f"number from {search[key]['low']}" in sentence


def test_words_lists_and_nothing_are_values_too():
    search = {
        "model.hidden_sizes": {"values": [[8], [8, 8]]}, "data.train_size": {"values": [None, 100]},
        "data.batch_size": {"values": ["full", 64]}, "data.standardize": {"values": [True, False]},
    }  # fmt: skip
    raw = changed(search=search)
    for key, axis in search.items():
        one, other = axis["values"]
        (claim,) = check({**raw, "claim": {"text": "a", "better": {key: one}, "than": {key: other}}}).claim
        assert (claim.better, claim.than) == ({key: one}, {key: other})
    sides = {"better": {"data.standardize": 1}, "than": {"data.batch_size": 64}}
    (sentence,) = problems({**raw, "claim": {"text": "a", **sides}})
    assert sentence.startswith("claim.better.data.standardize: 1 is not allowed; allowed: what the search tries: true")


def test_the_two_sides_of_a_claim_are_runs_that_there_are():
    search = {"optimizer.name": {"values": ["sgd", "momentum"]}, "optimizer.momentum": {"values": [0.5, 0.9]}}
    sides = {"better": {"optimizer.momentum": 0.9}, "than": {"optimizer.name": "sgd"}}
    assert check(changed(search=search, claim={"text": "a", **sides})), "sgd has no momentum, so they share nothing"
    sides["better"] = {"optimizer.momentum": 0.9, "optimizer.name": "sgd"}
    assert problems(changed(search=search, claim={"text": "a", **sides})) == [
        'claim.better: {optimizer.momentum: 0.9, optimizer.name: "sgd"} is not allowed; allowed: values that one '
        "configuration of the sweep can have."
    ]


def test_where_nothing_is_searched_there_is_nothing_to_claim():
    assert [sentence.rpartition("; ")[2] for sentence in problems(changed(claim=CLAIM, search=None))] == [
        "allowed among the searched keys: none."
    ] * 3

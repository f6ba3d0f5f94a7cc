"""`overfit`: the sentences, and an exit code that a script can go by."""

import json

import pytest
from two_rates import SPEC, requests_of

from sweeps import __main__ as cli
from sweeps.client import ServiceStatus

RESULT = {"what": "mlp on iris", "reached": True, "sentence": "The code can learn.", "remarks": ["Switched off: l2."]}
DONE = {"problems": [], "results": [RESULT], "left_out": "", "doing": "", "share": 1.0, "pending": False}


def answers(client, *replies):
    client.overfit.side_effect = list(replies)


def test_it_says_how_far_it_is_and_then_the_sentence(client, spec_file, capsys):
    answers(client, DONE | {"pending": True, "doing": "mlp on iris: loss 1.2"}, DONE)
    assert cli.main(["overfit", spec_file]) == cli.DONE
    assert capsys.readouterr() == (
        "The code can learn.\n  Note: Switched off: l2.\n",
        "  mlp on iris: loss 1.2\n",
    )
    assert requests_of(client) == [("overfit", SPEC, "again"), ("overfit", SPEC, "ask")]


def test_of_several_models_each_is_named_and_one_that_cannot_learn_is_1(client, spec_file, capsys):
    broken = RESULT | {"what": "my_net on iris", "reached": False, "sentence": "Something is broken.", "remarks": []}
    answers(client, DONE | {"results": [RESULT, broken], "left_out": "3 more were not tested."})
    assert cli.main(["overfit", spec_file]) == cli.NOT_DONE
    assert capsys.readouterr().out.splitlines() == [
        "mlp on iris: The code can learn.",
        "  Note: Switched off: l2.",
        "my_net on iris: Something is broken.",
        "3 more were not tested.",
    ]


def test_a_bad_spec_is_2(client, spec_file, capsys):
    answers(client, *[DONE | {"results": [], "problems": ["seeds: 0 is not allowed."]}] * 2)
    assert cli.main(["overfit", spec_file]) == cli.BAD_INPUT
    assert capsys.readouterr() == ("", "seeds: 0 is not allowed.\n")
    assert cli.main(["overfit", spec_file, "--json"]) == cli.BAD_INPUT
    assert json.loads(capsys.readouterr().out)["problems"] == ["seeds: 0 is not allowed."]


def test_json_has_every_figure(client, spec_file, capsys):
    answers(client, DONE)
    assert cli.main(["overfit", spec_file, "--json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["results"] == [RESULT]


def test_ctrl_c_gives_it_up(client, spec_file):
    answers(client, KeyboardInterrupt, DONE)
    assert cli.main(["overfit", spec_file]) == 130
    assert requests_of(client)[-1] == ("overfit", SPEC, "stop")


@pytest.mark.parametrize(("problems", "code"), [([], cli.DONE), (["It is wrong."], cli.BAD_INPUT)])
def test_it_needs_no_service_and_starts_none(problems, code, client, spec_file, monkeypatch, capsys):
    client.status.return_value = ServiceStatus(alive=False)
    monkeypatch.setattr(
        "sweeps.preflight.overfit_ten.overfit_here", lambda text, progress: DONE | {"problems": problems}
    )
    assert cli.main(["overfit", spec_file]) == code
    assert requests_of(client) == []

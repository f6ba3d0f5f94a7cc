"""How an argument is refused, to the letter: these sentences are shown to the user."""

import pytest

from learning_tasks.refusals import lookup, one_of, require


def refusal(refuse, *arguments):
    with pytest.raises(ValueError) as refused:
        refuse(*arguments)
    return str(refused.value)


def test_a_value_that_is_not_allowed_is_refused_with_what_is():
    require("size", 4, True, "4 to 256")
    assert refusal(require, "size", 3, False, "4 to 256") == "size: 3 is not allowed; allowed: 4 to 256"


def test_a_choice_that_there_is_not_is_refused_in_quotes():
    one_of("gate", "and", ("and", "or"))
    assert refusal(one_of, "gate", "nor", ("and", "or")) == "gate: 'nor' is not allowed; allowed: and, or"


def test_an_unknown_name_is_refused_with_the_nearest():
    registry = {"sgd": 1, "adam": 2}
    assert lookup("optimizer.name", "adam", registry) == 2
    sentence = "optimizer.name: {} is not allowed; allowed: sgd, adam{}"
    assert refusal(lookup, "optimizer.name", "adams", registry) == sentence.format("adams", "; did you mean adam?")
    assert refusal(lookup, "optimizer.name", "zzz", registry) == sentence.format("zzz", ".")

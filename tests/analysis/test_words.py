"""Lists and counts in words."""

import pytest

from analysis.words import chained, counted, joined, listed, share, some


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_a_list_is_joined_as_in_a_sentence(words, text):
    assert joined(words) == text


def test_members_that_hold_commas_are_parted_by_semicolons():
    rates = ["adam, lr 0.05", "sgd, lr 0.1"]
    assert (
        listed(["a", "b"]) == "a, b" and listed([]) == "" and listed(["a", *rates]) == "a; adam, lr 0.05; sgd, lr 0.1"
    )
    assert joined(rates) == "adam, lr 0.05; and sgd, lr 0.1" and joined(rates[:1]) == rates[0]
    assert joined(["a", "b", rates[0]]) == "a; b; and adam, lr 0.05"
    assert some([*rates, "a", "b"], 2) == "adam, lr 0.05; sgd, lr 0.1; and 2 more"


def test_a_part_of_a_number_of_things_agrees_with_it():
    assert [share(many, 3, "group") for many in (1, 2, 3)] == ["1 of 3 groups", "2 of 3 groups", "all 3 groups"]
    assert share(2, 2, "run") == "both runs" and share(1, 1, "run") == "1 of 1 run"


def test_a_long_list_names_some_and_counts_the_others():
    assert some("abc", 3) == "a, b and c"
    assert some("abcde", 3) == "a, b, c and 2 more"
    assert some("abcde", 1, "{} other values") == "a and 4 other values"


def test_one_is_no_plural():
    assert [counted(n, "seed") for n in (0, 1, 2, 1200)] == ["0 seeds", "1 seed", "2 seeds", "1,200 seeds"]


def test_the_members_of_a_list_are_chained_and_counted_where_they_are_many_and_the_same() -> None:
    assert chained(["32", "32", "32"]) == "32-32-32" and chained(["64", "32", "32", "32"]) == "64-32-32-32"
    assert chained(["32"] * 10) == "10 × 32" and chained([]) == ""

"""Lists and counts in words."""

import pytest

from analysis.words import chained, counted, joined, some


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_a_list_is_joined_as_in_a_sentence(words, text):
    assert joined(words) == text


def test_a_long_list_names_some_and_counts_the_others():
    assert some("abc", 3) == "a, b and c"
    assert some("abcde", 3) == "a, b, c and 2 more"
    assert some("abcde", 1, "{} other values") == "a and 4 other values"


def test_one_is_no_plural():
    assert [counted(n, "seed") for n in (0, 1, 2, 1200)] == ["0 seeds", "1 seed", "2 seeds", "1,200 seeds"]


def test_the_members_of_a_list_are_chained_and_counted_where_they_are_many_and_the_same() -> None:
    assert chained(["32", "32", "32"]) == "32-32-32" and chained(["64", "32", "32", "32"]) == "64-32-32-32"
    assert chained(["32"] * 10) == "10 × 32" and chained([]) == ""

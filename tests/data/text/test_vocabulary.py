"""Vocabularies: numbers of tokens and back."""

from collections import Counter

import pytest

from data.text.vocabulary import UNKNOWN, Vocabulary

TEXTS = [["the", "cat", "saw", "the", "dog"], ["the", "dog", "ran"]]


def test_tokens_come_by_how_often_they_occur_then_in_the_order_of_the_alphabet():
    vocabulary = Vocabulary.learnt(TEXTS)
    counts = Counter(token for text in TEXTS for token in text)
    assert vocabulary.tokens[0] == UNKNOWN
    assert list(vocabulary.tokens[1:3]) == [token for token, _ in counts.most_common(2)]
    assert list(vocabulary.tokens[3:]) == sorted(vocabulary.tokens[3:]) == ["cat", "ran", "saw"]


def test_what_is_encoded_is_decoded_again_and_what_is_rare_is_unknown():
    whole, frequent = Vocabulary.learnt(TEXTS), Vocabulary.learnt(TEXTS, min_count=2)
    for text in TEXTS:
        assert whole.decode(whole.encode(text)) == text
    assert frequent.tokens == (UNKNOWN, "the", "dog")
    assert frequent.decode(frequent.encode(TEXTS[0])) == ["the", UNKNOWN, UNKNOWN, "the", "dog"]


def test_a_token_in_the_text_that_is_spelt_as_a_special_one_has_no_number_of_its_own():
    vocabulary = Vocabulary.learnt([[UNKNOWN, "a"]])
    assert vocabulary.tokens == (UNKNOWN, "a") and vocabulary.encode([UNKNOWN]) == [0]


def test_without_an_unknown_token_what_is_not_there_is_an_error():
    vocabulary = Vocabulary.learnt(["abba"], special=())
    assert vocabulary.tokens == ("a", "b") and vocabulary.encode("ba") == [1, 0]
    with pytest.raises(KeyError):
        vocabulary.encode("c")


def test_the_characters_of_each_token():
    assert Vocabulary((UNKNOWN, "a", "word", "\n")).characters == (1, 1, 4, 1)

"""Pairs of texts: how a batch is made of them, and the set whose targets are its sources in reverse."""

import pytest
import torch

from data.text.pairs import TEST_SIZE, PairPart, Reverse
from data.text.special_ids import BEGIN, END, PAD
from learning_tasks import IGNORED

PARTS = ("train", "validation", "test", "probes")


@pytest.fixture(scope="module")
def parts():
    return Reverse().parts


def strings(part):
    """The sources as tuples of symbols."""
    return [tuple(number for number in row if number != PAD) for row in part.sources.tolist()]


def written(part):
    """The targets as tuples of symbols; each must have one end token, behind its last symbol."""
    rows = [[number for number in row if number != PAD] for row in part.targets.tolist()]
    assert all(row.index(END) == len(row) - 1 for row in rows)
    return [tuple(row[:-1]) for row in rows]


def test_a_batch_is_what_it_says_it_is():
    sources, targets = torch.tensor([[5, 6, 7, 0], [8, 0, 0, 0]]), torch.tensor([[7, 6, END, 0, 0], [8, END, 0, 0, 0]])
    (source, decoded), expected = PairPart(sources, targets).batch(slice(None))
    assert source.ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert source.mask.tolist() == [[True, True, True], [True, False, False]]
    assert decoded.ids.tolist() == [[BEGIN, 7, 6], [BEGIN, 8, PAD]]
    assert decoded.mask.tolist() == [[True, True, True], [True, True, False]]
    assert expected.tolist() == [[7, 6, END], [8, END, IGNORED]]
    assert not source.segments.any() and not decoded.segments.any()


def test_a_batch_is_cut_to_its_longest_texts_and_says_the_same_as_the_whole(parts):
    part = parts.train
    shortest = (part.sources != PAD).sum(dim=1).argsort()[:4]
    (source, decoded), targets = part.batch(shortest)
    assert source.ids.shape == (4, 3) and decoded.ids.shape == targets.shape == (4, 4)
    (whole, given), expected = part.batch(slice(None))
    assert torch.equal(whole.ids[shortest, :3], source.ids) and not whole.mask[shortest, 3:].any()
    assert torch.equal(given.ids[shortest, :4], decoded.ids) and torch.equal(given.mask[shortest, :4], decoded.mask)
    assert torch.equal(expected[shortest, :4], targets) and expected[shortest, 4:].eq(IGNORED).all()


def test_the_decoder_is_given_the_right_token_before_each_place(parts):
    (_, decoded), targets = parts.validation.batch(slice(None))
    assert decoded.ids[:, 0].eq(BEGIN).all()
    counted = targets[:, 1:] != IGNORED
    assert torch.equal(decoded.ids[:, 1:][counted], targets[:, :-1][counted])
    assert torch.equal(decoded.mask, targets != IGNORED)


@pytest.mark.parametrize("name", PARTS)
def test_targets_are_sources_in_reverse(parts, name):
    part = getattr(parts, name)
    assert written(part) == [source[::-1] for source in strings(part)]


def test_no_string_is_in_two_parts_or_twice_in_one_whatever_the_seed(parts):
    others = Reverse(seed_data=3, num_samples=4000).parts
    for one in (parts, others):
        together = [string for name in PARTS for string in strings(getattr(one, name))]
        assert len(set(together)) == len(together)
    assert strings(parts.test) == strings(others.test) and strings(parts.probes) == strings(others.probes)
    trained = set(strings(others.train)) | set(strings(others.validation))
    assert not trained & set(strings(parts.test)), "the test part of one seed is trained on by no other"


def test_lengths_and_symbols_are_those_that_were_asked_for():
    data = Reverse(num_symbols=12, min_length=4, max_length=9, num_samples=6000)
    for part in (data.parts.train, data.parts.test):
        lengths = torch.tensor([len(string) for string in strings(part)]).bincount(minlength=10)
        assert lengths[:4].eq(0).all() and len(lengths) == 10
        assert (lengths[4:] / lengths.sum() - 1 / 6).abs().max() < 0.05
        numbers = {number for string in strings(part) for number in string}
        assert numbers == set(range(3, 15))
    assert data.sizes == {"train": 4800, "validation": 1200, "test": TEST_SIZE}
    assert data.dims["source_vocab_size"] == data.dims["target_vocab_size"] == 15


def test_the_shortest_strings_are_trained_on_although_there_are_few():
    parts = Reverse(min_length=1, num_samples=3000).parts
    trained = [string for string in strings(parts.train) + strings(parts.validation) if len(string) == 1]
    assert 5 <= len(trained) <= 10


def test_texts_show_symbols_and_no_special_token():
    data = Reverse(num_symbols=5)
    assert data.source_text([3, 7, 4, PAD, PAD]) == "a e b"
    assert data.target_text([4, BEGIN, 3, END, 5, END]) == "b a"
    assert data.target_text([4, 4]) == "b b" and data.target_text([END]) == ""


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"num_symbols": 27}, "num_symbols: 27 is not allowed; allowed: 2 to 26"),
        ({"min_length": 9}, "min_length: 9 is not allowed; allowed: 1 to 8, the max_length"),
        ({"max_length": 0}, "max_length: 0 is not allowed; allowed: 1 to 200"),
        ({"num_samples": 9}, "num_samples: 9 is not allowed; allowed: 10 to 1,000,000"),
        ({"num_symbols": 2}, "num_symbols: 2 is not allowed; allowed: so many that at least 15,000 .* there are 256"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_sentence(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        Reverse(**fields)

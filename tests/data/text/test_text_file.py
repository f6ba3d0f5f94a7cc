"""A text as data of a language model."""

import itertools

import numpy as np
import pytest
from scipy.stats import entropy

from data.text.text_file import ALICE, TextFile
from learning_tasks import TASKS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    return tmp_path


def windows(data, part):
    """The text of each window: what is read, and the last character that is to be predicted."""
    inputs, targets = part.batch(slice(None))
    texts = []
    for ids, mask, following in zip(inputs.ids, inputs.mask, targets, strict=True):
        read, predicted = ids[mask].tolist(), following[mask].tolist()
        assert read[1:] == predicted[:-1], "each character but the last is what had to be predicted before"
        texts.append("".join(data.vocabulary.decode([*read, predicted[-1]])))
    return texts


def all_parts(data):
    return [
        windows(data, part) for part in (data.parts.train, data.parts.validation, data.parts.test, data.parts.probes)
    ]


def test_the_windows_of_all_parts_make_the_text_again_so_that_none_shares_a_character():
    data = TextFile(context=19)
    text = ALICE.read_text()
    train, validation, test, probes = all_parts(data)
    cut = [text[begin : begin + 20] for begin in range(0, len(text), 20)]
    assert sorted(train + validation + test + probes) == sorted(cut)
    assert test == cut[-len(test) :], "the end of the text"
    assert len(test) == round(0.1 * len(cut)) and len(probes) == 8


def places(texts, cut):
    return [cut.index(text) for text in texts]


@pytest.mark.parametrize("seed", range(5))
def test_the_validation_part_is_one_stretch_of_what_is_neither_test_part_nor_probes(seed):
    data = TextFile(seed_data=seed)
    text = ALICE.read_text()
    cut = [text[begin : begin + 65] for begin in range(0, len(text), 65)]
    train, validation, _, probes = (places(part, cut) for part in all_parts(data))
    pool = [place for place in range(max(train + validation) + 1) if place not in probes]
    chosen = [pool.index(place) for place in validation]
    assert all((after - before) % len(pool) == 1 for before, after in itertools.pairwise(chosen))
    assert sorted(train + validation) == pool
    assert train != sorted(train)


def test_the_data_seed_says_where_the_validation_part_begins():
    stretches = [all_parts(TextFile(seed_data=seed))[1] for seed in (0, 1, 2, 0)]
    assert stretches[0] == stretches[3]
    assert len({tuple(stretch) for stretch in stretches}) == 3


def test_test_part_probes_and_vocabulary_depend_on_no_seed_and_no_option_of_the_training_part():
    first = TextFile()
    for fields in ({"seed_data": 5}, {"train_size": 6}, {"validation_fraction": 0.5}):
        other = TextFile(**fields)
        assert all_parts(other)[2:] == all_parts(first)[2:], fields
        assert other.vocabulary == first.vocabulary and other.dims == first.dims, fields


def test_characters_of_the_test_part_alone_are_unknown(folder):
    (folder / "text.txt").write_text("abcd" * 100 + "xyz" * 4)
    data = TextFile(path="text.txt", context=4)
    assert sorted(data.vocabulary.tokens) == ["<unknown>", "a", "b", "c", "d"]
    assert data.dims["characters"] == (1,) * 5 and data.dims["num_outputs"] == data.dims["vocab_size"] == 5
    assert data.parts.test.batch(slice(None)).targets.min() < 1


def test_on_request_the_vocabulary_is_that_of_the_training_part():
    data = TextFile(vocabulary="training_part", train_size=2)
    assert set(data.vocabulary.tokens[1:]) == set("".join(windows(data, data.parts.train)))


def test_the_unigram_model_has_the_entropy_of_the_characters():
    data = TextFile()
    targets = data.parts.validation.batch(slice(None)).targets
    scores = TASKS["language_model"](characters=data.dims["characters"]).constant(targets)
    counts = np.unique(targets.numpy(), return_counts=True)[1]
    assert scores["loss"] == pytest.approx(entropy(counts), rel=1e-12)
    assert scores["bits_per_character"] == pytest.approx(entropy(counts, base=2), rel=1e-12)
    assert scores["perplexity"] == pytest.approx(np.exp(entropy(counts)), rel=1e-12)
    assert scores["error"] == pytest.approx(1 - counts.max() / counts.sum(), rel=1e-12)


def test_a_short_last_window_is_padded_and_one_of_a_single_character_left_out(folder):
    for rest, expected in (("", 200), ("y", 200), ("yz", 202)):
        (folder / "text.txt").write_text("abcde" * 40 + rest)
        data = TextFile(path="text.txt", context=4, seed_data=len(rest))
        parts = (data.parts.train, data.parts.validation, data.parts.test, data.parts.probes)
        assert sum(int((part.lengths + 1).sum()) for part in parts) == expected


def test_line_ends_and_letters(folder):
    (folder / "text.txt").write_bytes(b"\xef\xbb\xbf" + b"Ab\r\nc\rD" * 30)
    data = TextFile(path="text.txt", context=4, lowercase=True)
    assert sorted(data.vocabulary.tokens) == ["\n", "<unknown>", "a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("content", "fields", "sentence"),
    [
        (b"", {}, "f.txt: the file is empty; expected: a text."),
        (b"a\0b", {}, "f.txt: this is no text file"),
        (b"\xff" * 900, {}, "f.txt, line 1: it is not UTF-8; save the file as UTF-8, or set encoding: latin-1."),
        (b"ab" * 300, {}, "f.txt: it has 600 characters; expected: at least 11 windows of context + 1 = 65 characters"),
        (
            b"ab" * 400,
            {"test_fraction": 0.5},
            "test_fraction: 0.5 is not allowed; allowed: a share that leaves",
        ),
        (b"ab" * 400, {"context": 0}, "context: 0 is not allowed; allowed: 1 or more"),
        (b"ab" * 400, {"train_size": 10}, "train_size: 10 is not allowed; allowed: at most 9"),
        (b"ab" * 400, {"vocabulary": "all"}, "vocabulary: 'all' is not allowed; allowed: pool, training_part"),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, content, fields, sentence):
    (folder / "f.txt").write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        assert TextFile(path="f.txt", **fields).parts
    assert str(refusal.value).startswith(sentence) and "\n" not in str(refusal.value)

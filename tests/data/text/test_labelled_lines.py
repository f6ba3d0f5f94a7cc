"""User files of labelled lines."""

import gzip
import itertools

import numpy as np
import pytest

from data.text.labelled_lines import LabelledLines, words

LINES = [
    f"{'good' if number % 2 else 'bad'} film {number}, it is {'fine' if number % 2 else 'poor'}" for number in range(60)
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def lines(folder):
    (folder / "lines.txt").write_text("\n".join(LINES) + "\n")
    return folder


def texts(data, part):
    inputs, targets = part.batch(slice(None))
    decoded = (data.vocabulary.decode(ids[mask].tolist()) for ids, mask in zip(inputs.ids, inputs.mask, strict=True))
    return [(data.class_names[target], " ".join(text)) for target, text in zip(targets.tolist(), decoded, strict=True)]


def all_parts(data):
    return [texts(data, part) for part in (data.parts.train, data.parts.validation, data.parts.test, data.parts.probes)]


def test_every_line_is_in_one_part_with_its_label(lines):
    data = LabelledLines(path="lines.txt", min_count=1)
    assert data.task == "binary" and data.class_names == ("bad", "good")
    learnt = set(data.vocabulary.tokens)
    expected = []
    for line in LINES:
        label, _, text = line.partition(" ")
        expected.append((label, " ".join(token if token in learnt else "<unknown>" for token in words(text))))
    assert sorted(itertools.chain.from_iterable(all_parts(data))) == sorted(expected)
    assert [len(part) for part in all_parts(data)] == [35, 9, 12, 4]


def test_test_part_and_probes_depend_on_no_seed_and_no_option_of_the_training_part(lines):
    first = LabelledLines(path="lines.txt")
    for fields in ({"seed_data": 5}, {"train_size": 6}, {"validation_fraction": 0.5}, {"batch_size": 1}):
        other = LabelledLines(path="lines.txt", **fields)
        assert all_parts(other)[2:] == all_parts(first)[2:], fields
        assert other.vocabulary == first.vocabulary and other.dims == first.dims, fields


def test_the_vocabulary_is_learnt_from_everything_but_the_test_part_and_the_probes(lines):
    data = LabelledLines(path="lines.txt", min_count=1)
    numbers = {token for token in data.vocabulary.tokens if token.isdigit()}
    outside = {number for number in range(60) if str(number) not in numbers}
    assert len(outside) == len(data.parts.test) + len(data.parts.probes)
    decoded = {text for part in all_parts(data)[2:] for _, text in part}
    assert all("film <unknown> ," in text for text in decoded)


def test_on_request_the_vocabulary_is_that_of_the_training_part(lines):
    data = LabelledLines(path="lines.txt", min_count=1, vocabulary="training_part", train_size=4)
    trained = {token for _, text in all_parts(data)[0] for token in text.split()}
    assert set(data.vocabulary.tokens) == {"<unknown>", *trained}


def test_labels_before_a_tab_may_hold_spaces_and_three_of_them_are_a_multiclass(folder):
    rows = [f"{['very good', 'good', 'not good'][number % 3]}\tfilm {number}" for number in range(30)]
    (folder / "lines.tsv").write_text("\n\n".join(rows))
    data = LabelledLines(path="lines.tsv")
    assert data.class_names == ("good", "not good", "very good") and data.task == "multiclass"
    assert data.dims["num_outputs"] == 3


def test_labels_that_are_numbers_are_ordered_as_numbers(folder):
    (folder / "lines.txt").write_text("\n".join(f"{number % 11} text" for number in range(110)))
    assert LabelledLines(path="lines.txt").class_names == tuple(map(str, range(11)))


def test_texts_are_cut_into_words_or_characters_of_small_letters_and_not_longer_than_allowed(folder):
    (folder / "lines.txt").write_text("\n".join(f"{'ab'[number % 2]} Don't STOP me, Ödön" for number in range(20)))
    make = lambda **fields: LabelledLines(path="lines.txt", **fields).tokenized("Don't STOP me, Ödön")  # noqa: E731
    assert make() == ["don", "'", "t", "stop", "me", ",", "ödön"]
    assert make(lowercase=False, longest=4) == ["Don", "'", "t", "STOP"]
    assert make(tokens="characters", longest=6) == list("don't ")


def test_a_test_file_of_its_own_is_the_test_part(lines):
    (lines / "test.txt").write_text("good film 61, it is new\nbad film 62, it is poor\n")
    data = LabelledLines(path="lines.txt", test_path="test.txt")
    assert [label for label, _ in all_parts(data)[2]] == ["good", "bad"]
    assert sum(data.sizes.values()) + len(data.parts.probes) == 62
    assert data.source == "lines.txt and test.txt"


def test_a_packed_file_and_one_of_another_encoding_are_read(folder):
    rows = "\n".join(f"{'ab'[number % 2]} café {number}" for number in range(20))
    (folder / "lines.txt.gz").write_bytes(gzip.compress(rows.encode("utf-8-sig")))
    (folder / "latin.txt").write_bytes(rows.encode("latin-1"))
    packed, latin = LabelledLines(path="lines.txt.gz"), LabelledLines(path="latin.txt", encoding="latin-1")
    assert "café" in packed.vocabulary.tokens and packed.digest == latin.digest


def test_disjoint_training_sets_share_no_line_and_the_vocabulary(lines):
    sets = [LabelledLines(path="lines.txt", min_count=1, disjoint=(number, 3), seed_data=number) for number in range(3)]
    trained = [set(texts(data, data.parts.train)) for data in sets]
    assert not (trained[0] & trained[1] or trained[0] & trained[2] or trained[1] & trained[2])
    assert len({data.vocabulary for data in sets}) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty; expected: a text."),
        (b" \n\n", "the file is empty; expected: a text."),
        (b"a x\0y\n", "this is no text file; expected: a text in utf-8."),
        (b"a x\nb y\n", "it has 2 lines; expected: at least 10."),
        (b"a x\n" * 20, 'there is only one class, "a"; expected: two or more.'),
        (
            "\n".join(f"{number // 2} x" for number in range(2002)).encode(),
            "it has 1,001 different labels; allowed",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(folder, content, sentence):
    (folder / "f.txt").write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        LabelledLines(path="f.txt")
    assert str(refusal.value).startswith(f"f.txt: {sentence}") and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        (b"a x\na caf\xe9\n" * 9, 2, "it is not UTF-8; save the file as UTF-8, or set encoding: latin-1."),
        (b"a x\n" * 20 + b"b y\n", 21, 'label "b" has only this line; expected: two or more.'),
        (b"a x\nb\n" * 9, 2, "it has no text; expected: label text."),
        (b"a\tx\nb y\n" * 9, 2, "it has no tab; expected: label<TAB>text in every line, as in the first one."),
        (b"a\tx\n\ty\n" * 9, 2, "it has no label; expected: label<TAB>text."),
    ],
)
def test_what_is_wrong_with_a_line_is_one_sentence_that_names_it(folder, content, line, sentence):
    (folder / "f.txt").write_bytes(content)
    with pytest.raises(ValueError) as refusal:
        LabelledLines(path="f.txt")
    assert str(refusal.value) == f"f.txt, line {line}: {sentence}"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"path": ""}, "path: missing"),
        ({"path": "line.txt"}, "did you mean lines.txt"),
        ({"path": "../lines.txt"}, "path: "),
        ({"tokens": "letters"}, "tokens: 'letters' is not allowed; allowed: words, characters"),
        ({"encoding": "ascii"}, "encoding: 'ascii' is not allowed; allowed: utf-8, latin-1"),
        ({"separator": "comma"}, "separator: 'comma' is not allowed; allowed: auto, tab, space"),
        ({"vocabulary": "all"}, "vocabulary: 'all' is not allowed; allowed: pool, training_part"),
        ({"min_count": 50}, "min_count: 50 leaves no token of lines.txt; allowed: at most "),
        ({"min_count": 0}, "min_count: 0 is not allowed; allowed: 1 or more"),
        ({"longest": 0}, "longest: 0 is not allowed; allowed: 1 or more"),
        (
            {"test_fraction": 0.01},
            "test_fraction: 0.01 is not allowed; allowed: a share that leaves at least 2",
        ),
        ({"test_fraction": 1.0}, "test_fraction: 1.0 is not allowed; allowed: between 0 and 1"),
        ({"train_size": 40}, "train_size: 40 is not allowed; allowed: at most 35"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_sentence(lines, fields, sentence):
    with pytest.raises(ValueError) as refusal:
        assert LabelledLines(**{"path": "lines.txt", **fields}).parts
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_label_of_the_test_file_that_the_first_one_does_not_have_is_refused(lines):
    (lines / "test.txt").write_text("good one\nfair two\n")
    with pytest.raises(ValueError, match=r'test.txt, line 2: "fair" is no label of the first file; .*\(bad, good\)\.'):
        LabelledLines(path="lines.txt", test_path="test.txt")


def test_the_classes_have_their_shares_in_the_test_part(folder):
    rows = [f"{'rare' if number % 10 == 0 else 'usual'} text {number}" for number in range(200)]
    (folder / "lines.txt").write_text("\n".join(rows))
    _, targets = LabelledLines(path="lines.txt").parts.test.batch(slice(None))
    assert np.bincount(targets).tolist() == [4, 36]

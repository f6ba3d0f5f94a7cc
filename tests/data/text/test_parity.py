"""Strings of bits and their parity."""

import pytest

from data.text.parity import TEST_SIZE, Parity, held_out


def strings(part):
    inputs, _ = part.batch(slice(None))
    return [tuple(ids[mask].tolist()) for ids, mask in zip(inputs.ids, inputs.mask, strict=True)]


def by_part(**fields):
    parts = Parity(**fields).parts
    return [strings(part) for part in (parts.train, parts.validation, parts.test, parts.probes)]


def test_the_class_is_whether_the_ones_are_odd():
    data = Parity()
    for part in (data.parts.train, data.parts.validation, data.parts.test, data.parts.probes):
        targets = part.batch(slice(None)).targets.tolist()
        assert [data.class_names[target] for target in targets] == [
            "odd" if string.count(1) % 2 else "even" for string in strings(part)
        ]


@pytest.mark.parametrize("fields", [{}, {"min_length": 3, "max_length": 40}, {"min_length": 8, "max_length": 8}])
def test_no_string_is_there_twice_and_all_have_the_lengths_asked_for(fields):
    parts = by_part(num_samples=120, **fields)
    everything = [string for part in parts for string in part]
    assert len(set(everything)) == len(everything)
    low, high = fields.get("min_length", 1), fields.get("max_length", 10)
    assert {len(string) for string in everything} <= set(range(low, high + 1))
    assert len(parts[0]) + len(parts[1]) == 120


def test_the_test_part_and_the_probes_are_those_strings_that_are_never_trained_on():
    train, validation, test, probes = by_part(seed_data=3)
    assert all(map(held_out, test + probes)) and not any(map(held_out, train + validation))
    for fields in ({"seed_data": 4}, {"num_samples": 50}, {"train_size": 7}):
        other = by_part(**fields)
        assert (other[2], other[3]) == (test, probes), fields
        assert set(other[0]) != set(train)
    assert len(by_part(max_length=60)[2]) == TEST_SIZE


def test_a_fifth_of_all_strings_is_held_out_and_of_both_classes():
    every = [tuple(int(bit) for bit in f"{number:012b}") for number in range(4096)]
    held = [string for string in every if held_out(string)]
    deviation = (4096 * 0.2 * 0.8) ** 0.5
    assert abs(len(held) - 4096 * 0.2) < 4 * deviation
    odd = sum(string.count(1) % 2 for string in held)
    assert abs(odd - len(held) / 2) < 4 * (len(held) / 4) ** 0.5


def test_all_lengths_are_equally_likely_where_there_are_strings_enough():
    train, validation, _, _ = by_part(min_length=20, max_length=29, num_samples=3000)
    counts = [sum(len(string) == length for string in train + validation) for length in range(20, 30)]
    assert max(abs(count - 300) for count in counts) < 4 * (3000 * 0.1 * 0.9) ** 0.5


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"max_length": 7}, "max_length: 7 is not allowed; allowed: 8 or more"),
        ({"min_length": 11}, "min_length: 11 is not allowed; allowed: 1 to 10, the max_length"),
        ({"num_samples": 2000}, r"num_samples: 2000 is not allowed; allowed: 10 to 1,023, half of the strings"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_sentence(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        Parity(**fields)

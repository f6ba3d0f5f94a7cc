"""Where the values of a param stand on an axis."""

import math

import pytest

from analysis.figures.param_axis import axis_of, is_size, size, size_like


def test_numbers_of_one_size_stand_where_they_belong():
    axis = axis_of("a", [3, 1, 2, 1])
    assert axis.values == (1, 2, 3) and axis.places == (1.0, 2.0, 3.0) and axis.numeric and not axis.log
    assert axis.place(2) == 2.0 and axis.title == "a" and axis.text(2) == "2"


def test_numbers_over_many_sizes_stand_on_a_logarithmic_axis_and_zero_beside_them():
    axis = axis_of("l2", [0.0, 1e-4, 1e-2, 1e-3])
    assert axis.log and axis.places[1:] == pytest.approx([-4, -3, -2]) and axis.places[0] == pytest.approx(-5)
    ticks = axis.layout()
    assert ticks["ticktext"] == ["0", "0.0001", "0.001", "0.01"]
    assert ticks["range"][0] < -5 and ticks["range"][1] > -2


def test_lists_of_sizes_count_by_their_units():
    axis = axis_of("model.hidden_sizes", [[64], [8, 8], [4]])
    assert axis.numbers == (4, 16, 64) and axis.title == "model.hidden_sizes (units)" and axis.log
    assert axis.text([8, 8]) == "16 (8-8)" and axis.place([64]) == pytest.approx(math.log10(64))


def test_what_is_no_number_stands_in_a_row():
    axis = axis_of("optimizer.name", ["sgd", "adam", None])
    assert not axis.numeric and axis.places == (0.0, 1.0, 2.0) and axis.text(None) == "–"
    equal = axis_of("model.hidden_sizes", [[32, 32], [64]])
    assert not equal.numeric and equal.text([32, 32]) == "32, 32", "two networks of as many units are two"
    assert not axis_of("flag", [True, False]).numeric


def test_ticks_leave_room_and_the_last_is_there():
    axis = axis_of("n", list(range(1, 40)))
    texts = axis.layout()["ticktext"]
    assert len(texts) <= 11 and texts[0] == "1" and texts[-1] == "39"
    assert axis_of("n", []).layout() == {} and axis_of("n", [5]).layout()["tickvals"] == [5.0]
    wide = axis_of("n", [1, 2, 8]).layout(bars=True)["range"]
    assert wide[0] < math.log10(1) - 0.1 and wide[1] > math.log10(8) + 0.3


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), (2.5, 2.5), ([1, 2], 3), (True, math.nan), ("a", math.nan), ([], math.nan), (None, math.nan)],
)
def test_the_size_of_a_value(value, number):
    assert size(value) == number or (math.isnan(size(value)) and math.isnan(number))


def test_sizes_of_training_sets_are_known_by_their_names():
    sizes = ["data.train_size", "n_train", "num_samples", "train_samples", "data.subset", "training_set_size"]
    assert all(map(is_size, sizes)) and not any(map(is_size, ["batch_size", "model.hidden_sizes", "optimizer.lr"]))
    assert size_like(["optimizer.lr", "data.train_size"]) == ["data.train_size", "optimizer.lr"]

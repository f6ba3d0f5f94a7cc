"""User tables: the same numbers as pandas and scikit-learn have, and a sentence for each way to be wrong."""

import csv
import gzip
import os

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import datasets as sklearn_datasets
from sklearn.preprocessing import OneHotEncoder

from data import DATASETS
from data.files import csv_tables, delimited
from data.files.delimited import Layout, Source


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEEPBOARD_DATA", str(tmp_path))
    return tmp_path


def write(folder, content, name="t.csv"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def regression(**fields):
    fields = {"path": "t.csv", "target": "y", "standardize": False, "scale_target": False, **fields}
    return DATASETS["csv_regression"](**fields)


def classification(**fields):
    return DATASETS["csv_classification"](**{"path": "t.csv", "target": "y", "standardize": False, **fields})


def together(data):
    """All examples (n, inputs + 1), sorted."""
    parts = (data.parts.train, data.parts.validation, data.parts.test)
    rows = np.concatenate([torch.column_stack([part.inputs, part.targets]).numpy() for part in parts])
    return rows[np.lexsort(rows.T)]


def numbered_rows(count, **columns):
    """A table of x = 0, 1, ..., y = 2x, and more columns by functions of x."""
    names = ["x", *columns, "y"]
    rows = [[str(x), *(str(value(x)) for value in columns.values()), str(2 * x)] for x in range(count)]
    return "\n".join(",".join(row) for row in [names, *rows]) + "\n"


# What is read


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_iris_from_a_file_is_iris(folder, separator, newline, suffix):
    iris = sklearn_datasets.load_iris(as_frame=True)
    frame = iris.frame.assign(target=iris.target_names[iris.target])
    text = frame.to_csv(sep=separator, index=False, lineterminator=newline).encode("utf-8-sig")
    write(folder, gzip.compress(text) if suffix else text, f"iris.csv{suffix}")
    data = classification(path=f"iris.csv{suffix}", target="target")
    expected = np.column_stack([iris.data, iris.target]).astype(np.float32)
    np.testing.assert_array_equal(together(data), expected[np.lexsort(expected.T)])
    assert data.task == "multiclass" and data.class_names == tuple(iris.target_names)
    assert data.source == f"iris.csv{suffix}, target target"
    assert data.dims == {"input_shape": (4,), "num_outputs": 3, "task": "multiclass"}
    first = iris.data.columns[0]  # a byte order mark stands before it, which is no part of its name
    assert classification(path=data.source.partition(",")[0], target="target", leave_out=first).dims["input_shape"] == (
        3,
    )


def test_numbers_are_those_that_pandas_wrote(folder):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(50, 3)) * 10.0 ** random.integers(-9, 9, (50, 3)), columns=["a", "b", "y"])
    frame.to_csv(folder / "t.csv", index=False)
    columns = {name: delimited.Column("t.csv", name, "auto") for name in frame}
    table = Source(folder / "t.csv", Layout()).table(columns)
    np.testing.assert_array_equal(np.column_stack([column.values for column in table.columns.values()]), frame)
    assert table.lines.tolist() == list(range(2, 52))


def test_columns_of_text_become_one_input_a_category(folder):
    colours, sizes = ["red", "green, light", 'b"lue'], [7, 1, 3]
    rows = [(colours[x % 3], sizes[x % 2], x) for x in range(30)]
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("colour", "size", "y"), *rows])
    encoder = OneHotEncoder(sparse_output=False).fit([row[:1] for row in rows])
    expected = np.column_stack([encoder.transform([row[:1] for row in rows]), [row[1:] for row in rows]])
    np.testing.assert_array_equal(together(regression()), expected[np.lexsort(expected.T)].astype(np.float32))
    assert regression(categories="size").dims["input_shape"] == (3 + 2,)


def test_columns_can_be_left_out(folder):
    write(folder, numbered_rows(20, **{'"a, b"': lambda x: x % 3, "id": lambda x: f"free text {x}"}))
    assert regression(leave_out='id, "a, b"').dims["input_shape"] == (1,)


def test_a_column_without_a_name_goes_by_its_number(folder):
    pd.DataFrame({"x": range(20), "y": range(20)}).to_csv(folder / "t.csv")
    with pytest.raises(ValueError, match=r't.csv: column 1 has no name; expected: a name, or leave_out: "1"'):
        regression()
    assert regression(leave_out="1").dims["input_shape"] == (1,)


def test_without_a_header_columns_go_by_their_numbers(folder):
    write(folder, numbered_rows(20).partition("\n")[2])
    data = regression(header=False, target="2")
    assert torch.equal(data.parts.test.inputs * 2, data.parts.test.targets[:, None])
    assert sum(data.sizes.values()) == 20


def test_decimal_commas(folder):
    write(folder, "x;y\n" + "".join(f"{x},25;-{x},5e-1\n" for x in range(20)))
    data = regression(decimal="comma")
    rows = together(data)
    assert set(rows[:, 0]) == {x + 0.25 for x in range(20)}
    np.testing.assert_allclose(rows[:, 1], -(rows[:, 0] + 0.25) / 10, rtol=1e-6)


def test_a_number_with_a_separator_of_thousands_is_asked_about_and_read_as_it_was_said(folder):
    rows = [("1,012", "-0.132"), ("1,010", "-0.536"), ("1,130", "0.947"), *[("950", "1.5")] * 7]
    write(folder, "a,b,y\n" + "".join(f'"{a}",{b},{number % 2}\n' for number, (a, b) in enumerate(rows)))
    both = '"1,012" is 1012 if the comma divides thousands and 1.012 if it divides decimals'
    with pytest.raises(ValueError, match=f't.csv, line 2, column "a": {both}; set thousands: comma, or decimal: comma'):
        classification()
    data = classification(thousands="comma")
    assert sorted(together(data)[:, 0]) == [950] * 7 + [1010, 1012, 1130]
    with pytest.raises(ValueError, match=r'line 2, column "b": "-0.132" has a decimal point; set decimal: point'):
        classification(decimal="comma")
    with pytest.raises(ValueError, match=r'thousands: "comma" is not allowed; allowed: auto, point, space, apostrophe'):
        classification(decimal="comma", thousands="comma")


def test_thousands_are_divided_in_the_test_file_as_in_the_first_one(folder):
    for name in ("t.csv", "test.csv"):
        write(folder, "x;y\n" + "".join(f"{x}.000,5;{x}.250\n" for x in range(1, 13)), name)
    fields = {"test_path": "test.csv", "decimal": "comma", "thousands": "point"}
    expected = sorted((1000 * x + 0.5, 1000 * x + 250) for x in range(1, 13))
    assert sorted(map(tuple, together(regression(**fields)).tolist())) == sorted(expected * 2)


def test_quoted_fields_may_hold_line_breaks_and_lines_are_still_counted(folder):
    write(folder, 'x,y\n1,"a\nb"\n2,c\nfour,c\n')
    with pytest.raises(ValueError, match=r't.csv, line 5, column "x": "four" is no number'):
        classification()


def test_empty_lines_are_passed_over(folder):
    write(folder, numbered_rows(20) + "\n,\n\n")
    assert sum(regression().sizes.values()) == 20


def test_the_regression_target_is_counted_in_deviations_from_its_mean_outside_the_test_part(folder):
    write(folder, numbered_rows(50))
    plain, scaled = regression(), regression(scale_target=True, seed_data=4)
    pool = torch.cat([plain.parts.train.targets, plain.parts.validation.targets]).double()
    expected = (plain.parts.test.targets - pool.mean()) / pool.std(correction=0)
    torch.testing.assert_close(scaled.parts.test.targets, expected.float())
    assert scaled.source == f"t.csv, target y, counted from {pool.mean():.6g} in steps of {pool.std(correction=0):.6g}"


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_it_does_not_matter_how_many_rows_are_read_at_once(folder, monkeypatch, chunk):
    write(folder, numbered_rows(30, c=lambda x: "" if x < 9 or x % 4 == 0 else "pq"[x % 2]))
    monkeypatch.setattr(delimited, "CHUNK", chunk)
    assert sum(regression(missing="drop").sizes.values()) == sum(x >= 9 and x % 4 > 0 for x in range(30))


def test_a_column_that_is_constant_in_the_training_part_is_only_centred(folder):
    write(folder, numbered_rows(30, z=lambda x: 0.1))
    write(folder, "x,z,y\n1,0.3,2\n", "test.csv")
    parts = regression(standardize=True, test_path="test.csv").parts
    assert parts.train.inputs[:, 1].abs().max() < 1e-6
    torch.testing.assert_close(parts.test.inputs[0, 1], torch.tensor(0.2))


# Classes


def test_two_classes_make_it_binary_and_numbers_are_in_their_order(folder):
    write(folder, "x,y\n" + "".join(f"{x},{('10', '9.0', '9')[x % 3]}\n" for x in range(30)))
    data = classification()
    assert (data.task, data.class_names, data.dims["num_outputs"]) == ("binary", ("9.0", "10"), 1)
    assert sum(part.targets.sum() for part in (data.parts.train, data.parts.validation, data.parts.test)) == 10
    write(folder, "x,y\n" + "".join(f"{x},{('b', 'a', 'c')[x % 3]}\n" for x in range(31)))
    assert (classification().task, classification().class_names) == ("multiclass", ("a", "b", "c"))


def test_the_share_of_the_test_part_is_stratified(folder):
    write(folder, "x,y\n" + "".join(f"{x},{'rare' if x % 10 == 0 else 'often'}\n" for x in range(200)))
    test = classification(test_fraction=0.25).parts.test
    assert torch.bincount(test.targets).tolist() == [45, 5]


# Missing values


GAPS = "x,c,y\n" + "".join(f"{'' if x == 4 else x},{'?' if x == 7 else 'pq'[x % 2]},{2 * x}\n" for x in range(40))


def test_missing_values_are_refused_with_their_place(folder):
    write(folder, GAPS)
    with pytest.raises(ValueError, match=r't.csv, line 6, column "x": the value is missing; .* missing: mean'):
        regression()


def test_rows_with_missing_values_can_be_dropped(folder):
    write(folder, GAPS)
    assert sorted(together(regression(missing="drop"))[:, -1]) == [2 * x for x in range(40) if x not in (4, 7)]


@pytest.mark.parametrize("seed", range(4))
def test_missing_values_become_the_mean_of_the_training_part(folder, seed):
    write(folder, GAPS)
    parts = regression(missing="mean", seed_data=seed).parts
    train = parts.train.inputs[~torch.isin(parts.train.targets, torch.tensor([8.0, 14.0]))]
    inputs_of = {
        int(target): inputs
        for part in (parts.train, parts.validation, parts.test)
        for inputs, target in zip(part.inputs, part.targets, strict=True)
    }
    in_train = set(parts.train.targets.tolist())
    xs = [target / 2 for target in in_train if target != 8.0]
    torch.testing.assert_close(inputs_of[8][0], torch.tensor(np.mean(xs), dtype=torch.float32))
    share = np.mean([target / 2 % 2 for target in in_train if target != 14.0])
    torch.testing.assert_close(inputs_of[14][1:], torch.tensor([1 - share, share], dtype=torch.float32))
    assert train.isfinite().all()


def test_a_target_cannot_be_filled_in(folder):
    write(folder, numbered_rows(30) + "9,\n")
    with pytest.raises(ValueError, match='line 32, column "y": the value is missing; expected: a value, or missing: d'):
        regression(missing="mean")
    assert sum(regression(missing="drop").sizes.values()) == 30


# A separate file for the test part


def test_the_test_part_may_have_a_file_of_its_own(folder):
    write(folder, "x,c,y\n" + "".join(f"{x},{'pq'[x % 2]},{'nm'[x % 2]}\n" for x in range(20)))
    write(folder, "y,more,c,x\nm,0,q,5\nm,0,new,6\n", "test.csv")
    data = classification(test_path="test.csv")
    assert data.sizes == {"train": 16, "validation": 4, "test": 2}
    assert data.parts.test.inputs.tolist() == [[5, 0, 1], [6, 0, 0]]
    assert data.parts.test.targets.tolist() == [0, 0] and data.class_names == ("m", "n")
    assert data.source == "t.csv and test.csv, target y"


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ("x,y\n1,n\n", 'test.csv: it has no column "c", as t.csv has; it has: x, y'),
        ("x,c,y\n1,p,n\n1,p,k\n", r'test.csv, line 3, column "y": "k" is no class .* \(m, n\)'),
        ("x,c,y\nz,p,n\n", 'test.csv, line 2, column "x": "z" is no number'),
        ("x,c,y\n,p,n\n", 'test.csv, line 2, column "x": the value is missing'),
    ],
)
def test_a_test_file_that_does_not_fit_is_refused(folder, test, sentence):
    write(folder, "x,c,y\n" + "".join(f"{x},{'pq'[x % 2]},{'nm'[x % 2]}\n" for x in range(20)))
    write(folder, test, "test.csv")
    with pytest.raises(ValueError, match=sentence):
        classification(test_path="test.csv")


# What is wrong


TEN = "".join(f"{x},{x}\n" for x in range(10))


@pytest.mark.parametrize(
    ("content", "fields", "sentence"),
    [
        ("", {}, "t.csv: the file is empty"),
        (" \n\n", {}, "t.csv: the file is empty"),
        (",,\n ,\n", {"delimiter": "comma"}, "t.csv: the file is empty"),
        ("\ufeff\n", {}, "t.csv: the file is empty"),
        ("x,y\n", {}, "t.csv: it holds no rows"),
        ("x,y\n1,2\n3\n", {}, "t.csv, line 3: it has 1 fields; expected: 2, one a column"),
        ("x,y\n1,2\n3,4,5\n", {}, "t.csv, line 3: it has 3 fields; expected: 2"),
        (f"x,y\n{TEN}a,3\n", {}, 'line 12, column "x": "a" is no number, .* list the column in categories'),
        (f"x,y\n{TEN}3,a\n", {}, 'line 12, column "y": "a" is no number, .* use data csv_classification'),
        (f"x,y\n{TEN}1_0,3\n", {}, 'line 12, column "x": "1_0" is no number'),
        (f"x,y\n{TEN}inf,3\n", {}, 'line 12, column "x": "inf" is too large'),
        (f"x,y\n{TEN}1e31,3\n", {}, 'line 12, column "x": "1e31" is too large'),
        ("x;y\n1,5;2\n", {}, 'line 2, column "x": "1,5" has a decimal comma; set decimal: comma'),
        (
            f'x,y\n{TEN}"1,500",2\n',
            {},
            'line 12, column "x": "1,500" is 1500 if the comma divides thousands and 1.5 if',
        ),
        (f'x,y\n{TEN}2,"1,5"\n', {}, 'line 12, column "y": "1,5" has a decimal comma; set decimal: comma'),
        ("quality,y\n1,2\n", {"target": "qualty"}, r"t.csv \(quality, y\); did you mean quality\?"),
        ("x,y\n1,2\n", {"target": "  "}, 'target: "" is not allowed; allowed: a column of t.csv'),
        ("x,y\n1,2\n", {"leave_out": "z"}, 'leave_out: "z" is not allowed; allowed: a column of t.csv'),
        ("x,y\n1,2\n", {"categories": "X"}, r'categories: "X" is not allowed; .*; did you mean x\?'),
        ("x,y\n1,2\n", {"leave_out": "y"}, 'leave_out: "y" is not allowed; allowed: columns other than the target'),
        ("x,y\n1,2\n", {"leave_out": "x"}, "leave_out: no input is left of t.csv"),
        ("x,y\n1,2\n", {"leave_out": '"x'}, "allowed: names of columns divided by commas"),
        ("x,y,x\n1,2,3\n", {}, 't.csv, line 1: columns 1 and 3 are both called "x"'),
        ("1,2\n3,4\n", {}, "t.csv, line 1: it holds only numbers, where the names of the columns were expected"),
        ("y\n1\n2\n", {}, "t.csv, line 1: only one column was found; .* divided by comma, semicolon or tab"),
        ("x,y\n1,2\n", {"delimiter": "tab"}, "t.csv, line 1: only one column was found; .* divided by tab"),
        ("x,y\n" + "1,2\n" * 9, {}, "t.csv: it has 9 rows; expected: at least 10"),
        ("x,y\n" + "1,\n" * 9 + TEN[:-4], {"missing": "drop"}, "t.csv: it has 9 rows without a missing value"),
        ("x,y\n" + ",2\n" * 20, {}, 't.csv: no row has a value in column "x"; leave it out'),
        ("x,y\n" + "1,2\n" * 20, {}, 't.csv, column "y": the target is 2 in every row'),
        ("x,y\n1,2\n2,é\n".encode("latin-1"), {}, "t.csv, line 3: it is not UTF-8; save the file as UTF-8"),
        ("x,y\n1,2\n".encode("utf-16"), {}, "t.csv: this is no text file"),
        ("x,y\n1,2\n2,é\n".encode("utf-16-le"), {}, "t.csv: this is no text file"),
        (f'x,y\n{TEN}"1,2\n1,2\n', {}, "t.csv, line 12: the quotes do not fit"),
        (f'x,y\n{TEN}"1"2,2\n1,2\n', {}, "t.csv, line 12: the quotes do not fit"),
        ("x,y\n" + "".join(f"c{x},{x}\n" for x in range(101)), {}, 'line 102, column "x": "c100" is one more than 100'),
        (f"x,y\n{TEN}", {"test_fraction": 0.05}, "test_fraction: 0.05 is not allowed; allowed: a share that leaves"),
        (f"x,y\n{TEN}", {"test_fraction": 0.95}, "test_fraction: 0.95 is not allowed"),
        (f"x,y\n{TEN}", {"test_fraction": 1.0}, "test_fraction: 1.0 is not allowed; allowed: between 0 and 1"),
        (f"x,y\n{TEN}", {"missing": "zero"}, 'missing: "zero" is not allowed; allowed: refuse, drop, mean'),
        (f"x,y\n{TEN}", {"path": "u.csv"}, r'path: "u.csv" is not allowed; .*; did you mean t.csv\?'),
        (f"x,y\n{TEN}", {"path": ""}, "path: missing"),
        (f"x,y\n{TEN}", {"imbalance": 2.0}, "imbalance"),
    ],
)
def test_what_is_wrong_with_a_regression_is_said_in_one_sentence(folder, content, fields, sentence):
    write(folder, content)
    with pytest.raises(TypeError if "imbalance" in fields else ValueError, match=sentence) as refusal:
        regression(**fields)
    assert "\n" not in str(refusal.value) and str(folder) not in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "fields", "sentence"),
    [
        ([f"{x},only" for x in range(20)], {}, 't.csv, column "y": there is only one class, "only"'),
        ([*(f"{x},{x % 2}" for x in range(20)), "1,odd"], {}, 'line 22, column "y": class "odd" has only this row'),
        ([f"{x},{x / 3}" for x in range(20)], {}, "has only this row; .* use data csv_regression"),
        ([f"{x},{x % 2}" for x in range(20)], {"test_fraction": 0.05}, "at least 2 of the 20 examples to each part"),
        ([f"{x},c{x // 2}" for x in range(20)], {}, "at least 10 of the 20 examples to each part, one a class"),
        (
            [f"{x},c{x}" for x in range(1001)],
            {},
            'line 1002, column "y": "c1000" is one more than 1,000 .* csv_regression',
        ),
    ],
)
def test_what_is_wrong_with_a_classification_is_said_in_one_sentence(folder, rows, fields, sentence):
    write(folder, "x,y\n" + "\n".join(rows))
    with pytest.raises(ValueError, match=sentence):
        classification(**fields)


def test_too_much_is_refused(folder, monkeypatch):
    write(folder, numbered_rows(300))
    monkeypatch.setattr("data.files.common.MOST_VALUES", 299)
    with pytest.raises(ValueError, match=r"t.csv: 300 examples of 1 inputs are 300 values; allowed: at most 299"):
        regression()
    monkeypatch.setattr(delimited, "MOST_BYTES", 1 << 20)
    write(folder, "x,y\n" + "1,2\n" * (1 << 18))
    with pytest.raises(ValueError, match=r"t.csv: it holds more than 1 MiB"):
        regression()


# How often it is read


def test_a_file_is_read_once_until_it_changes(folder, monkeypatch):
    write(folder, numbered_rows(20))
    reads = []
    monkeypatch.setattr(csv_tables, "Source", lambda *arguments: reads.append(arguments) or Source(*arguments))
    for seed in range(3):
        assert regression(seed_data=seed).parts
    assert len(reads) == 1
    write(folder, numbered_rows(20).replace("19,38", "19,99"))
    os.utime(folder / "t.csv", ns=(1, 1))
    assert 99 in together(regression())[:, -1] and len(reads) == 2


def test_changing_the_tensors_of_one_run_does_not_reach_the_next(folder):
    write(folder, numbered_rows(20))
    regression().parts.test.inputs.zero_()
    assert regression().parts.test.inputs.abs().sum() > 0

"""Numbers as texts: what is read, and what is asked about because it can be read in two ways."""

import pytest

from data.files.numerals import Notation

POINT, COMMA = Notation(), Notation("comma")


@pytest.mark.parametrize(
    ("notation", "text", "number"),
    [
        (POINT, "1.012", 1.012),
        (POINT, "-5e-1", -0.5),
        (POINT, "1,234,567", 1_234_567),
        (POINT, "-1,234.5", -1234.5),
        (POINT, "+12,345.e2", 1_234_500),
        (COMMA, "1,012", 1.012),
        (COMMA, "1.234.567", 1_234_567),
        (COMMA, "1.234,5", 1234.5),
        (Notation("point", "comma"), "1,012", 1012),
        (Notation("point", "comma"), "999", 999),
        (Notation("point", "comma"), "1,012e3", 1_012_000),
        (Notation("comma", "point"), "1.012", 1012),
        (Notation("point", "space"), "1 012", 1012),
        (Notation("comma", "space"), "12\u202f345\u202f678,25", 12_345_678.25),
        (Notation("point", "apostrophe"), "1\u2019012.5", 1012.5),
        (Notation("point", "space"), "1,234,567", None),
        (POINT, "12,34,567", None),
        (POINT, "1,234 567", None),
        (POINT, "0,123,456", None),
        (POINT, "1_012", None),
        (POINT, "nan", None),
        (POINT, "1 234 567", None),
    ],
)
def test_what_a_text_is_as_a_number(notation, text, number):
    assert notation.number(text) == number
    assert notation.number(f"  {text} ") == number


BOTH = "is 1012 if the {} divides thousands and 1.012 if it divides decimals; set thousands: {}, or decimal: {}"


@pytest.mark.parametrize(
    ("notation", "text", "advice"),
    [
        (POINT, "1,012", BOTH.format("comma", "comma", "comma")),
        (Notation("point", "space"), "1,012", BOTH.format("comma", "comma", "comma")),
        (COMMA, "1.012", BOTH.format("point", "point", "point")),
        (POINT, "0,640", "has a decimal comma; set decimal: comma"),
        (POINT, "12,5", "has a decimal comma; set decimal: comma"),
        (Notation("point", "comma"), "12,5", "has a decimal comma; set decimal: comma"),
        (POINT, "1.234,5", "has a decimal comma; set decimal: comma"),
        (POINT, "1 012,5", "has a decimal comma; set decimal: comma"),
        (COMMA, "-0.132", "has a decimal point; set decimal: point"),
        (COMMA, "1,234.5", "has a decimal point; set decimal: point"),
        (POINT, "1.234.567", "is 1234567 if the point divides thousands; set decimal: comma and thousands: point"),
        (POINT, "1 012", "is 1012 if the space divides thousands; set thousands: space"),
        (COMMA, "1'012,5", "is 1012.5 if the apostrophe divides thousands; set thousands: apostrophe"),
        (POINT, "a, b", ""),
        (POINT, "10,20,30", ""),
        (POINT, "192.168.0.1", ""),
        (POINT, "", ""),
    ],
)
def test_what_is_said_of_a_text_that_is_no_number(notation, text, advice):
    assert notation.number(text) is None
    assert notation.advice(text) == advice

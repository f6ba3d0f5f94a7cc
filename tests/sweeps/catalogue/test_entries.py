"""The catalogue is what the classes say, and it can be read without them."""

import json
from collections.abc import Sequence
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Len

from sweeps.catalogue import Entry, load
from sweeps.catalogue.build import argument_texts, as_text, build, entry_of, field_of, summary_and_help
from sweeps.catalogue.entries import FILE, SECTIONS
from sweeps.fields import Field, SpecError
from sweeps.training.recorders import RECORDERS


def test_the_committed_file_is_up_to_date():
    assert FILE.read_text(encoding="utf-8") == as_text(build(RECORDERS)), "run: python -m sweeps catalogue --write"


def test_every_registered_name_is_there_with_its_task():
    from data import DATASETS
    from lightning_modules import MODELS
    from lightning_modules.optimizers import OPTIMIZERS
    from lightning_modules.schedules import SCHEDULES

    catalogue = load()
    assert list(catalogue.models) == list(MODELS) and list(catalogue.datasets) == list(DATASETS)
    assert list(catalogue.optimizers) == list(OPTIMIZERS) and list(catalogue.schedules) == list(SCHEDULES)
    for name, entry in catalogue.models.items():
        assert entry.tasks == tuple(MODELS[name].tasks)
    for name, dataset in catalogue.datasets.items():
        assert dataset.asks == (DATASETS[name].tasks or (DATASETS[name].task,))
        assert catalogue.models_for(name), f"no model can be trained on {name}"


def test_all_help_texts_are_sentences_for_a_form():
    catalogue = load()
    described = [(name, entry.summary) for entries in catalogue.named.values() for name, entry in entries.items()]
    fields = [entry.fields for entries in catalogue.named.values() for entry in entries.values()]
    described += [(name, field.help) for section in [*fields, *SECTIONS.values()] for name, field in section.items()]
    for name, text in described:
        assert text and text[0].isupper() and text.endswith(".") and "\n" not in text, f"{name}: {text!r}"


def test_every_default_is_allowed_and_survives_the_file():
    catalogue = load()
    for section, entries in catalogue.named.items():
        for entry in entries.values():
            assert Entry.from_json(entry.name, entry.as_json()) == entry
            for field in entry.fields.values():
                if not field.required:
                    assert field.check(f"{section}.{field.name}", field.default) == field.default


def test_a_numbered_choice_survives_json():
    field = Field("device", "choice", "auto", choices=("auto", "cuda"), numbered=("cuda",))
    assert Field.from_json(json.loads(json.dumps(field.as_json()))) == field
    assert field.offered("auto", "cuda:3", "cuda:x", None) == ["auto", "cuda", "cuda:3"]


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (int, 3, Field("x", "int", 3)),
        (float, 1, Field("x", "float", 1.0)),
        (bool, True, Field("x", "bool", True)),
        (str, "a", Field("x", "str", "a")),
        (int | None, None, Field("x", "int", None, optional=True)),
        (Literal["a", "b"], "a", Field("x", "choice", "a", choices=("a", "b"))),
        (Literal["a", None], None, Field("x", "choice", None, choices=("a",), optional=True)),
        (int | Literal["full"], 64, Field("x", "int", 64, choices=("full",))),
        (list[int], [1], Field("x", "int_list", [1])),
        (Sequence[float], (1.0,), Field("x", "float_list", [1.0])),
        (tuple[float, float], (0.9, 0.99), Field("x", "float_list", [0.9, 0.99], min_length=2, max_length=2)),
        (tuple[int, ...], (1,), Field("x", "int_list", [1])),
        (Annotated[int, Ge(1)], 1, Field("x", "int", 1, minimum=1)),
        (Annotated[float, Gt(0), Le(2)], 1.0, Field("x", "float", 1.0, minimum=0, exclusive_minimum=True, maximum=2)),
        (Annotated[float, Interval(ge=0, lt=1)], 0.0,
         Field("x", "float", 0.0, minimum=0, maximum=1, exclusive_maximum=True)),
        (Annotated[int | None, Ge(1)], None, Field("x", "int", None, minimum=1, optional=True)),
        (Annotated[int, Ge(1)] | None, None, Field("x", "int", None, minimum=1, optional=True)),
        (Annotated[str, Len(1)], "", Field("x", "str", "", min_length=1, required=True)),
        (Annotated[str, Len(1)], "a", Field("x", "str", "a", min_length=1)),
        (list[Annotated[int, Ge(0)]], [1], Field("x", "int_list", [1], minimum=0)),
        (Annotated[list[int], Len(1, 3)], [1], Field("x", "int_list", [1], min_length=1, max_length=3)),
    ],
)  # fmt: skip
def test_an_annotation_becomes_a_field(annotation, default, expected):
    assert field_of("x", annotation, default) == expected


@pytest.mark.parametrize("annotation", [dict, int | str, list[dict], bytes, object])
def test_an_annotation_that_no_form_can_ask_for_is_an_error(annotation):
    with pytest.raises(TypeError, match="is no type that a field can have"):
        field_of("x", annotation, None)


class Base:
    """A base.

    Args:
        shared: What all have.
        own: What the base says of it.
    """

    def __init__(self, *, shared: int = 1, own: int = 2, seed_data: int = 0) -> None: ...


class Derived(Base):
    """What it is in one line,
    or two.

    More about it.

    Args:
        own: What the class itself
            says of it.

    Raises:
        ValueError: Never.
    """

    task = "binary"

    def __init__(self, *, own: Annotated[int, Ge(0)] = 5, **common: int) -> None: ...


def test_inherited_arguments_come_last_and_the_nearest_help_wins():
    entry = entry_of("derived", Derived)
    assert (entry.summary, entry.help, entry.task) == ("What it is in one line, or two.", "More about it.", "binary")
    assert list(entry.fields.values()) == [
        Field("own", "int", 5, minimum=0, help="What the class itself says of it."),
        Field("shared", "int", 1, help="What all have."),
    ]


def test_what_the_caller_passes_is_no_field():
    def optimizer(params: object, /, *, lr: float = 0.1) -> None:
        """One.

        Args:
            lr: The rate.
        """

    assert list(entry_of("one", optimizer).fields) == ["lr"]


def test_a_field_needs_a_default_an_annotation_and_help():
    def no_default(*, lr: float) -> None: ...

    def no_annotation(*, lr=0.1): ...

    def no_help(*, lr: float = 0.1) -> None:
        """One."""

    for faulty, why in ((no_default, "needs a default"), (no_annotation, "no annotation"), (no_help, "say nothing")):
        with pytest.raises(TypeError, match=f"{faulty.__name__}, argument lr: .*{why}"):
            entry_of("faulty", faulty)

    def bad_default(*, lr: Annotated[float, Gt(0)] = -1.0) -> None:
        """One.

        Args:
            lr: The rate.
        """

    with pytest.raises(SpecError, match=r"bad\.lr: -1\.0 is not allowed"):
        entry_of("bad", bad_default)


def test_docstrings_with_types_and_following_sections_are_read():
    doc = "One.\n\nArgs:\n    a (int): First\n        line: with a colon.\n    **rest: Others.\n\nReturns:\n    b: no."
    assert argument_texts(doc) == {"a": "First line: with a colon.", "rest": "Others."}


@pytest.mark.parametrize(
    "end",
    [
        ">>> Net(3)\nNet(width=3)",
        "Example::\n\n    >>> Net(3)\n    Net(width=3)",
        "Examples\n--------\n>>> Net(3)\n\n>>> Net(4)\nNet(width=4)",
        ">>> for width in range(3):\n...     Net(width)\n\nArgs:\n    width: How wide.",
    ],
)
def test_doctests_are_no_help(end):
    assert summary_and_help(f"It learns.\n\nMuch.\n\n{end}") == ("It learns.", "Much.")


def test_what_follows_a_doctest_is_help():
    assert summary_and_help("It learns.\n>>> Net(3)\n3\n\nMuch.") == ("It learns.", "Much.")
    assert summary_and_help(">>> Net(3)\n\nIt learns.") == ("It learns.", "")
    doc = "Args:\n    width: How wide.\n        >>> Net(3)\n        3\n    depth: How deep."
    assert argument_texts(doc) == {"width": "How wide.", "depth": "How deep."}

"""The file of what a run writes: what is read back, and what is refused in a sentence."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from analysis.translation.texts import LONGEST, TextsError, read

GOOD: dict[str, Any] = {
    "sources": np.array(["a b", "c d e", "<b>"]),
    "references": np.array(["b a", "e d c", "x"]),
    "epochs": np.array([1, 4], dtype=np.int32),
    "hypotheses": np.array([["b", "e d c", "y"], ["b a", "e d c d", ""]]),
    "chosen": np.array(["b a", "e d c", "y"]),
    "epoch": np.int32(3),
}


def packed(**changes: Any) -> bytes:
    """The file with some arrays changed, or left out where the change is None."""
    file = io.BytesIO()
    np.savez_compressed(file, **{name: array for name, array in (GOOD | changes).items() if array is not None})
    return file.getvalue()


def test_a_table_shows_what_was_written_and_whether_it_is_right() -> None:
    texts = read(packed())
    assert list(texts.hypotheses) == [1, 4]
    frame = texts.frame()
    assert frame.columns.tolist() == ["source", "reference", "output", "verdict"]
    assert frame.values.tolist() == [
        ["a b", "b a", "b a", "right"],
        ["c d e", "e d c", "e d c", "right"],
        ["<b>", "x", "y", "wrong"],
    ]
    assert texts.frame(4)["verdict"].tolist() == ["right", "wrong", "wrong"]
    assert texts.sentence() == (
        "2 of these 3 texts, never trained on, are right to the last token. The weights are those that"
        " validation chose (epoch 3)."
    )
    assert texts.sentence(4).startswith("1 of these 3 ") and texts.sentence(4).endswith(
        "The weights are those of epoch 4."
    )


def test_what_steers_a_text_is_spelled_out_and_long_texts_are_cut() -> None:
    sources = np.array(["\u202eab", "x" * (LONGEST + 1), "c"])
    shown = read(packed(sources=sources)).frame()["source"].tolist()
    assert shown == ["[U+202E]ab", "x" * (LONGEST - 1) + "…", "c"]


NOTHING = np.array([], dtype="U1")
MALFORMED = [
    (b"junk", "it is no archive of plain NumPy arrays"),
    (packed(chosen=None), "it has no chosen"),
    (packed(epochs=np.array([1.0, 4.0])), "its epochs has the wrong type"),
    (packed(chosen=np.array(["b a"])), "its arrays do not fit each other"),
    (packed(epochs=np.array([1])), "its arrays do not fit each other"),
    (packed(epoch=np.array([3])), "its arrays do not fit each other"),
    (
        packed(sources=NOTHING, references=NOTHING, chosen=NOTHING, hypotheses=np.empty((2, 0), dtype="U1")),
        "it holds 0 texts of 2 epochs; allowed: 1 to 1,000 texts",
    ),
    (packed(sources=np.array([{}, {}, {}], dtype=object)), "it is no archive of plain NumPy arrays"),
]


@pytest.mark.parametrize(("content", "sentence"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_malformed_is_refused_in_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(TextsError, match=rf"^translations.npz cannot be read: {sentence}.*\.$"):
        read(content)

"""The file of a run's predictions: what is read back, and what is refused in a sentence."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from analysis.classification.predictions import (
    Predictions,
    PredictionsError,
    Source,
    gather,
    named,
    rarest,
    read,
    together,
    wilson,
)
from analysis.runs.array_files import LARGEST

GOOD: dict[str, Any] = {
    "classes": np.array(["no", "<b>yes</b>"]),
    "epoch": np.int32(3),
    "val_probabilities": np.array([[0.5, 0.5]], dtype=np.float32),
    "val_targets": np.array([1], dtype=np.int32),
    "val_size": np.int32(1),
    "test_probabilities": np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], dtype=np.float32),
    "test_targets": np.array([0, 1, 1], dtype=np.int32),
    "test_size": np.int32(50),
}


def packed(**changes: Any) -> bytes:
    """The file with some arrays changed, or left out where the change is None."""
    file = io.BytesIO()
    np.savez_compressed(file, **{name: array for name, array in (GOOD | changes).items() if array is not None})
    return file.getvalue()


def test_what_was_written_is_read() -> None:
    run = read(packed(), run_id="r", seed=4)
    assert (run.names, run.split, run.size, run.epoch) == (("no", "<b>yes</b>"), "test", 50, 3)
    assert (run.run_id, run.seed) == ("r", 4)
    assert run.targets.tolist() == [0, 1, 1] and run.answers.tolist() == [0, 1, 0] and run.counts.tolist() == [1, 2]
    np.testing.assert_array_equal(run.probabilities, GOOD["test_probabilities"])
    assert read(packed(), "val").targets.tolist() == [1]


def bomb() -> bytes:
    """A small file that claims to hold more than may be unpacked."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("classes.npy", "w") as member:
        for _ in range(LARGEST // 2**20 + 1):
            member.write(bytes(2**20))
    return file.getvalue()


def lying_header() -> bytes:
    """An array that claims a shape far beyond what the file holds."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    file = io.BytesIO(packed(test_targets=None))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("test_targets.npy", header.getvalue())
    return file.getvalue()


MALFORMED = [
        (b"", "no archive of plain NumPy arrays"),
        (b"PK\x03\x04 and no more", "no archive"),
        (packed()[:-40], "no archive"),
        (packed()[:200] + b"\xff" * 60 + packed()[260:], "no archive|does not|wrong|not fit|has no"),
        (bomb(), "it unpacks to 65 MiB, of which 64 are allowed"),
        (lying_header(), "no archive"),
        (packed(classes=None), "it has no classes"),
        (packed(test_size=None), "it has no test_size"),
        (packed(classes=np.array([1, 2])), "its classes has the wrong type"),
        (packed(test_targets=np.array([0.0, 1, 1])), "its test_targets has the wrong type"),
        (packed(test_targets=np.array([0, 1])), "do not fit"),
        (packed(epoch=np.array([3])), "do not fit"),
        (packed(classes=np.array(["a", "b", "c"])), "do not fit"),
        (packed(test_targets=np.zeros(0, int), test_probabilities=np.zeros((0, 2))), "it holds 0 examples"),
        (packed(classes=np.array(["a"]), test_probabilities=np.ones((3, 1))), "of 1 classes"),
        (packed(classes=np.array(["a"] * 1001), test_probabilities=np.full((3, 1001), 1 / 1001)), "of 1001 classes"),
        (packed(test_targets=np.array([0, 1, 2])), "a target is none of the classes"),
        (packed(test_targets=np.array([0, 1, -1])), "a target is none of the classes"),
        (packed(test_probabilities=np.full((3, 2), np.nan)), "negative, not finite or do not add up to 1"),
        (packed(test_probabilities=np.full((3, 2), 0.6)), "do not add up to 1"),
        (packed(test_probabilities=np.array([[2.0, -1.0]] * 3)), "negative"),
    ]  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_malformed_is_refused_in_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(PredictionsError, match=rf"predictions.npz cannot be read: .*({sentence}).*\.$"):
        read(content)


def pickled() -> bytes:
    """An array of objects whose unpickling would fail the test."""

    class Loud:
        def __reduce__(self) -> Any:
            return (exec, ("raise AssertionError('unpickled')",))

    return packed(classes=np.array([Loud(), Loud()], dtype=object))


def test_nothing_is_unpickled() -> None:
    with pytest.raises(PredictionsError, match="no archive of plain NumPy arrays"):
        read(pickled())


def test_a_group_says_of_whom_nothing_is_shown() -> None:
    runs, notes = gather(
        [
            Source("c", 2, "diverged", None),
            Source("a", 1, "ok", packed()),
            Source("b", 0, "ok", packed()),
            Source("d", 3, "diverged", None),
            Source("e", 4, "ok", None),
            Source("f", 5, "running", None),
            Source("g", 6, "ok", b"junk"),
        ]
    )
    assert [(run.run_id, run.seed) for run in runs] == [("b", 0), ("a", 1)]
    assert [note.partition(":")[0] for note in notes] == ["Seeds 2, 3", "Seed 4", "Seed 5", "Seed 6"]
    for note, words in zip(notes, ("diverged", "train again", "running", "cannot be read"), strict=True):
        assert words in note


def test_only_runs_that_belong_together_are_shown_together() -> None:
    run = read(packed())
    assert together(iter([run, run])) == [run, run]
    with pytest.raises(PredictionsError, match=r"no predictions here: .* Launch"):
        together([])
    with pytest.raises(PredictionsError, match="same classes"):
        together([run, read(packed(classes=np.array(["a", "b"])))])
    with pytest.raises(PredictionsError, match="different parts"):
        together([run, read(packed(), "val")])


def test_intervals_over_seeds_are_named_from_three_on() -> None:
    assert (named(2), named(3)) == ("", "95% t-interval over seeds, n=3")


def test_wilson_by_its_formula() -> None:
    # (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z the normal quantile of 0.975
    z, n, p = 1.959963984540054, 40, 0.75
    centre, half = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    share = wilson(30, n)
    assert share.mean == p and share.n == n
    assert (share.low, share.high) == pytest.approx(
        ((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n))
    )
    assert wilson(0, 5).low == 0 and wilson(5, 5).high == pytest.approx(1) and np.isnan(wilson(0, 0).mean)


@pytest.mark.parametrize(("targets", "expected"), [([0, 0, 1], 1), ([0, 1, 1], 0), ([0, 1], 1), ([0, 0], 0)])
def test_the_rarest_class(targets: list[int], expected: int) -> None:
    assert rarest([Predictions(("a", "b"), np.full((len(targets), 2), 0.5), np.array(targets))]) == expected

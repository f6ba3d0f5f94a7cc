"""Logic gates: without noise each point is a row of the truth table, as Python's own operators say."""

import operator

import pytest

from data import DATASETS

GATES = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_every_part_holds_the_truth_table(gate, part):
    examples = getattr(DATASETS["logic_gate"](gate=gate, noise=0.0, standardize=False).parts, part)
    rows = {
        (*map(int, point), target)
        for point, target in zip(*map(list, (examples.inputs, examples.targets.tolist())), strict=True)
    }
    assert rows == {(a, b, GATES[gate](a, b)) for a in (0, 1) for b in (0, 1)}


def test_noise_lies_around_the_corners():
    inputs = DATASETS["logic_gate"](noise=0.1, standardize=False, num_samples=8000).parts.train.inputs
    away = inputs - inputs.round().clamp(0, 1)
    assert abs(float(away.std()) - 0.1) < 4 * 0.1 / (2 * away.numel()) ** 0.5


def test_an_unknown_gate_is_refused():
    with pytest.raises(ValueError, match="gate: 'nand' is not allowed; allowed: and, or, xor"):
        DATASETS["logic_gate"](gate="nand")

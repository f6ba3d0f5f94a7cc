"""The data are the same as ever: digests of every set that needs no file, as they were when they were first published.

Runs that are already stored are compared with new ones, and go on after a kill, because their data are equal. So a
digest that changes is a fault, unless scikit-learn has changed its data: then the changelog has to say so.
"""

import pytest

from data import DATASETS
from sweeps.catalogue.entries import ours

SMALL = {"seed_data": 3, "train_size": 4}
DIGESTS = {
    # name: (as it is by default, with another seed and four training examples)
    "digits": ("a31ecb1aacb75c5a", "f178fc385c77c5ed"),
    "breast_cancer": ("a3a30522376adca5", "89d1c40bbe46b116"),
    "diabetes": ("ba221104646838bc", "0151c5c2f1cc54dd"),
    "iris": ("2cb77d0ccbcd275a", "e574a3682dcfbdb0"),
    "wine": ("f014068ec29814ca", "7d3bf086430a6736"),
    "moons": ("c6e55a78cf9f2f49", "5e64555cbf40e0e0"),
    "circles": ("130000b7b6b564a2", "3810f7cf37ba1773"),
    "spirals": ("b5e81a429184ebdc", "8870c2e7e06bca6b"),
    "xor": ("529108bb7051e71d", "440189616a5ea38d"),
    "blobs": ("c7eac368af56fd56", "93dd349be55035c2"),
    "noisy_curve": ("7d9716124b8c6bd2", "d7d9aaf89f5dc14a"),
    "logic_gate": ("8f6f09d164cf12c2", "f5b12ccdc2616e6b"),
    "karate_club": ("a4c19253e6651347", "8b4062f26e5e5065"),
    "label_sets": ("7257c06be290e432", "3bf10a841cdba539"),
    "parity": ("c33f34141edefcd7", "7a1cfd11b49ef586"),
    "text_file": ("936035c972955c27", "2b8b5c79034f86d0"),
    "reverse": ("9837b844a2ad5c56", "38fa494f9a2be58a"),
}


@pytest.mark.parametrize("name", list(DIGESTS))
def test_a_set_is_the_same_as_ever(name):
    digests = (DATASETS[name]().digest, DATASETS[name](**SMALL).digest)
    assert digests == DIGESTS[name], f"{name} gives other data than it did"


def test_every_set_that_needs_no_file_has_its_digests_here():
    entries = ours().datasets.values()
    without_files = {entry.name for entry in entries if not any(field.required for field in entry.fields.values())}
    assert without_files == set(DIGESTS)

"""Data sets. To add one: a subclass of `DataModule` in a file here, and one line in `DATASETS`."""

from data.base import DataModule
from data.tables import BreastCancer, Diabetes, Digits, Iris, Wine
from data.toy import Blobs, Circles, Moons, Spirals, Xor

DATASETS: dict[str, type[DataModule]] = {
    "digits": Digits,
    "breast_cancer": BreastCancer,
    "diabetes": Diabetes,
    "iris": Iris,
    "wine": Wine,
    "moons": Moons,
    "circles": Circles,
    "spirals": Spirals,
    "xor": Xor,
    "blobs": Blobs,
}

__all__ = ["DATASETS", "DataModule"]

"""Data sets. To add one: a subclass of `DataModule` in a file here, and one line in `DATASETS`."""

from data.base import DataModule
from data.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from data.files.csv_tables import CsvClassification, CsvRegression
from data.files.idx import Idx
from data.files.image_folder import ImageFolder
from data.gates import LogicGate
from data.graphs import KarateClub
from data.label_sets import LabelSets
from data.noisy_curve import NoisyCurve
from data.text.labelled_lines import LabelledLines
from data.text.pairs import Reverse
from data.text.parity import Parity
from data.text.text_file import TextFile
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
    "noisy_curve": NoisyCurve,
    "csv_regression": CsvRegression,
    "csv_classification": CsvClassification,
    "idx": Idx,
    "image_folder": ImageFolder,
    "logic_gate": LogicGate,
    "karate_club": KarateClub,
    "label_sets": LabelSets,
    "parity": Parity,
    "labelled_lines": LabelledLines,
    "text_file": TextFile,
    "reverse": Reverse,
}

__all__ = ["DATASETS", "DataModule"]

"""Real data sets that scikit-learn ships: nothing is downloaded.

A fifth of each is its test part, chosen once (stratified by class) and the same in every run.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split

from data.parts import Examples
from data.tabular import Classification, Images, Tabular

TEST_FRACTION = 0.2


def held_out(
    inputs: NDArray[Any], targets: NDArray[Any], fraction: float, stratified: bool
) -> tuple[Examples, Examples]:
    """The pool and the test part, always the same fraction of the examples; the arrays cannot be written to.

    Args:
        inputs: Those of all examples, (n, *input_shape).
        targets: Those of all examples, (n,).
        fraction: The share of the test part.
        stratified: Whether each class gets its share in both parts.
    """
    split = train_test_split(
        inputs, targets, test_size=fraction, random_state=0, stratify=targets if stratified else None
    )
    for array in split:
        array.flags.writeable = False  # shared by every run of this process
    train_inputs, test_inputs, train_targets, test_targets = split
    return Examples(train_inputs, train_targets), Examples(test_inputs, test_targets)


@cache
def _load(load: Callable[..., Any], stratified: bool, **options: Any) -> tuple[Examples, Examples]:
    inputs, targets = load(return_X_y=True, **options)
    return held_out(inputs, targets, TEST_FRACTION, stratified)


class Table(Classification):
    """A classification that scikit-learn ships: a subclass names its loading function."""

    load: ClassVar[Callable[..., Any]]

    def examples(self) -> tuple[Examples, Examples]:
        return _load(type(self).load, stratified=True)


class Digits(Images):
    """Handwritten digits: 1,797 grey images of 8 x 8 pixels, ten classes (UCI, Alpaydin and Kaynak 1998)."""

    task = "multiclass"
    source = "sklearn.datasets.load_digits"

    def examples(self) -> tuple[Examples, Examples]:
        pool, test = _load(sklearn_datasets.load_digits, stratified=True)
        return _as_images(pool), _as_images(test)


class BreastCancer(Table):
    """Breast cancer Wisconsin: 569 tumours by 30 measurements, malignant (0) or benign (1) (Wolberg et al. 1995)."""

    task = "binary"
    source = "sklearn.datasets.load_breast_cancer"
    named_classes = ("malignant", "benign")
    load = staticmethod(sklearn_datasets.load_breast_cancer)


class Diabetes(Tabular):
    """Diabetes: 442 patients by 10 measurements; the target is the disease's progress after a year (Efron et al. 2004).

    The target, 25 to 346 points, is counted in steps of 75 points from 150. These two numbers are fixed and fitted to
    nothing, so that losses of different training sets are in one unit: an RMSE of 0.8 is 60 points. The inputs are the
    measurements themselves, not scikit-learn's scaled ones, which were scaled by the test part too.
    """

    task = "regression"
    source = "sklearn.datasets.load_diabetes"
    origin: ClassVar[float] = 150.0
    unit: ClassVar[float] = 75.0

    def examples(self) -> tuple[Examples, Examples]:
        pool, test = _load(sklearn_datasets.load_diabetes, stratified=False, scaled=False)
        return self._in_units(pool), self._in_units(test)

    def _in_units(self, examples: Examples) -> Examples:
        return Examples(examples.inputs, (examples.targets - self.origin) / self.unit)


class Iris(Table):
    """Iris: 150 flowers by 4 measurements, three species (Fisher 1936)."""

    task = "multiclass"
    source = "sklearn.datasets.load_iris"
    named_classes = ("setosa", "versicolor", "virginica")
    load = staticmethod(sklearn_datasets.load_iris)


class Wine(Table):
    """Wine: 178 wines by 13 chemical measurements, three growers (UCI, Aeberhard and Forina 1992)."""

    task = "multiclass"
    source = "sklearn.datasets.load_wine"
    load = staticmethod(sklearn_datasets.load_wine)


def _as_images(examples: Examples) -> Examples:
    return Examples(examples.inputs.reshape(-1, 1, 8, 8) / 16.0, examples.targets)  # (n, channel, row, column), 0 to 1

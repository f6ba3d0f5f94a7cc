"""One-dimensional regression with a known truth: y = f(x) + noise, x between -1 and 1.

Since f and the deviation of the noise are known, the error of a model can be decomposed into bias, variance and noise:
the data seed draws a fresh sample in every run, and all are measured at the same points. `grid` are these points,
`truth` is f at each.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from data.base import SAMPLE
from data.parts import Examples
from data.tabular import Tabular
from learning_tasks.refusals import require

TEST_SIZE = 501
TEST_STREAM = 20_260_102

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]

FUNCTIONS: dict[str, Curve] = {
    "linear": lambda x: x,
    "quadratic": lambda x: x**2,
    "cubic": lambda x: 4 * x**3 - 3 * x,  # Chebyshev's, between -1 and 1
    "sine": lambda x: np.sin(2 * np.pi * x),
    "step": lambda x: np.where(x < 0, -1.0, 1.0),
    "runge": lambda x: 1 / (1 + 25 * x**2),
}
"""Each function f by its name."""


class NoisyCurve(Tabular):
    """One input x, uniform between -1 and 1, and a target f(x) with normal noise: bias and variance can be told apart.

    linear: x; quadratic: x²; cubic: 4x³ - 3x; sine: sin(2πx); step: -1 below 0, else 1; runge: 1 / (1 + 25x²), at
    which interpolating polynomials fail (Runge 1901). The test part is 501 points at equal distances from -1 to 1.

    Args:
        function: The function f that is to be learnt.
        noise: Standard deviation of the noise in the target.
        num_samples: Points drawn for training and validation together, afresh for each data seed.
        noisy_test: The targets of the test part have noise too, the same in every run; without it they are f(x).
    """

    task = "regression"
    source = "generated"
    fresh = True

    def __init__(
        self,
        *,
        function: Literal["linear", "quadratic", "cubic", "sine", "step", "runge"] = "sine",
        noise: Annotated[float, Interval(ge=0, le=1000)] = 0.3,
        num_samples: Annotated[int, Interval(ge=10, le=1_000_000)] = 200,
        noisy_test: bool = True,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        require("function", function, function in FUNCTIONS, ", ".join(FUNCTIONS))
        require("noise", noise, 0 <= noise <= 1000, "0 to 1000")
        require("num_samples", num_samples, 10 <= num_samples <= 1_000_000, "10 to 1,000,000")
        self.function, self.noise, self.num_samples, self.noisy_test = function, noise, num_samples, noisy_test

    def f(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values of the true function at inputs of any shape, as they are before standardisation."""
        return FUNCTIONS[self.function](x)

    @property
    def grid(self) -> NDArray[np.float64]:
        """The inputs of the test part before standardisation, (501,), in its order."""
        return np.linspace(-1.0, 1.0, TEST_SIZE)

    @property
    def truth(self) -> NDArray[np.float64]:
        """The values of f at the grid, (501,)."""
        return self.f(self.grid)

    @property
    def target_variance(self) -> float:
        """The variance of the targets of the test part about f."""
        return self.noise**2 if self.noisy_test else 0.0

    def examples(self) -> tuple[Examples, Examples]:
        random = self.stream(SAMPLE)
        x = random.uniform(-1, 1, self.num_samples)
        truth = self.f(x)
        targets = truth + self.noise * random.standard_normal(len(x))
        pool = Examples(x[:, None], targets, truth if self.noise else None)
        noise = np.random.default_rng(TEST_STREAM).standard_normal(TEST_SIZE)
        targets = self.truth + (self.noise * noise if self.noisy_test else 0.0)
        return pool, Examples(self.grid[:, None], targets)

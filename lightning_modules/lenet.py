"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, fig. 2), with the paper's names of layers.

C1: 6 maps, 5 x 5 · S2: pooling, 2 x 2 · C3: 16 maps, 5 x 5 · S4: pooling, 2 x 2 · C5: 120 units · F6: 84 · output.

As usual today and unlike the paper, every map of C3 sees all of S2, the pooling has no weights, the activations are not
scaled, and the outputs are linear (logits) instead of distances to drawn characters. A grey image in ten classes then
takes 61,706 parameters.

The network is made for 32 x 32 pixels. A smaller image is enlarged by the largest whole factor with which it still fits
(each pixel is repeated), then surrounded by zeros: 8 x 8 becomes 32 x 32, and 28 x 28 gets a margin of two, as in the
paper. Where an image is larger, C5 sees more.
"""

from typing import Annotated, Literal, get_args

from annotated_types import Ge
from torch import Tensor, nn

from learning_tasks.refusals import one_of
from lightning_modules.base import Module
from lightning_modules.blocks.activations import ACTIVATIONS
from lightning_modules.blocks.initialization import Initialization, initialize
from lightning_modules.blocks.losses import ClassLoss

SIDE, KERNEL = 32, 5

Squashing = Literal["tanh", "relu", "sigmoid"]
Pooling = Literal["avg", "max"]


class LeNet(Module):
    """LeNet-5 (LeCun et al. 1998): two convolutions of 5 x 5, each with pooling, then three linear layers.

    It takes images. One smaller than 32 x 32 pixels is enlarged by a whole factor as far as it fits, then surrounded by
    zeros.

    Args:
        activation: Applied after each layer but the last.
        pooling: What stands for four neighbours in a map: their mean (avg), as in the paper, or the largest (max).
        initialization: Where the weights start (biases start at 0): zeros; normal, with standard deviation init_std;
            xavier, normal with variance 2 / (inputs + outputs); he, normal with variance 2 / inputs.
        init_std: Standard deviation of the normal initialisation.
        loss: What is minimised, and shown as the loss: the cross-entropy (auto); squared or absolute, the distance
            between the probabilities and the true class, summed over the classes; or hinge, where the right class must
            lead by 1. The error is the share misclassified, whatever the loss.

    Paper:
        LeCun, Bottou, Bengio and Haffner (1998), Gradient-based learning applied to document recognition, fig. 2.
    Written out:
        The order of its layers, and how an image is brought to 32 x 32. torch: nn.Conv2d, pooling, nn.Linear, the
        gradients.
    Checked against:
        The counts of the paper where the layers are the same; the composition by hand; gradients by finite
        differences (tests/lightning_modules/test_lenet.py).
    """

    tasks = ("binary", "multiclass")
    takes = ("image",)

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        task: str,
        activation: Squashing = "tanh",
        pooling: Pooling = "avg",
        initialization: Initialization = "xavier",
        init_std: Annotated[float, Ge(0)] = 0.01,
        loss: ClassLoss = "auto",
    ) -> None:
        super().__init__(task=task, loss_name=loss)
        one_of("activation", activation, get_args(Squashing))
        one_of("pooling", pooling, get_args(Pooling))
        if len(input_shape) != 3:
            raise ValueError(f"it needs images (channels, rows, columns); an example of this data is {input_shape}")
        channels, rows, columns = input_shape
        if min(rows, columns) < KERNEL:
            raise ValueError(f"it needs images of at least {KERNEL} x {KERNEL} pixels; these are {rows} x {columns}")
        self.fit, rows, columns = _fit(rows, columns)
        self.c1 = nn.Conv2d(channels, 6, KERNEL)
        self.c3 = nn.Conv2d(6, 16, KERNEL)
        rows, columns = ((((side - 4) // 2) - 4) // 2 for side in (rows, columns))
        self.c5 = nn.Linear(16 * rows * columns, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_outputs)
        self.activate = ACTIVATIONS[activation]()
        self.pool = nn.AvgPool2d(2) if pooling == "avg" else nn.MaxPool2d(2)
        initialize(self, initialization, init_std)

    def forward(self, inputs: Tensor) -> Tensor:
        images = self.fit(inputs)  # (B, channels, 32, 32), or larger
        maps = self.pool(self.activate(self.c1(images)))  # (B, 6, 14, 14)
        maps = self.pool(self.activate(self.c3(maps)))  # (B, 16, 5, 5)
        hidden = self.activate(self.c5(maps.flatten(1)))  # (B, 120)
        hidden = self.activate(self.f6(hidden))  # (B, 84)
        outputs: Tensor = self.output(hidden)  # (B, num_outputs)
        return outputs


def _fit(rows: int, columns: int) -> tuple[nn.Module, int, int]:
    """The module that brings an image to 32 x 32 unless it is larger, and the rows and columns of its result."""
    factor = max(SIDE // max(rows, columns), 1)
    rows, columns = factor * rows, factor * columns
    down, right = max(SIDE - rows, 0), max(SIDE - columns, 0)
    margin = nn.ZeroPad2d((right // 2, right - right // 2, down // 2, down - down // 2))
    return nn.Sequential(nn.Upsample(scale_factor=factor), margin), rows + down, columns + right

"""What the numbers behind a figure say of themselves: a page takes its words and its downloads from them."""

from __future__ import annotations

from typing import Protocol

import pandas as pd


class FigureInfo(Protocol):
    """The numbers of a figure, with the words of its caption."""

    @property
    def shows(self) -> str:
        """What is to be seen, for the caption in a document and for those who cannot see the figure."""

    @property
    def n(self) -> str:
        """How many values the figure rests on: `n=8 seeds each`."""

    @property
    def interval(self) -> str:
        """The kind of the intervals that are drawn; nothing where none is."""

    @property
    def reading(self) -> str:
        """How to read the figure, in plain text."""

    def frame(self) -> pd.DataFrame:
        """The numbers that the figure is drawn from, as a table to download."""


class Info(FigureInfo, Protocol):
    """The numbers of a figure that answers a question."""

    @property
    def problem(self) -> str:
        """Why there is nothing to draw, in plain text; nothing where there is something."""

    @property
    def sentence(self) -> str:
        """The answer, in plain text."""

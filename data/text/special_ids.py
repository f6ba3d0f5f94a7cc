"""The numbers of tokens that stand for no symbol, the same in every vocabulary."""

from typing import Final

PAD: Final = 0
"""Fills a text up to the length of the longest of its batch."""
BEGIN: Final = 1
"""The first token that a decoder is given."""
END: Final = 2
"""The last token that a decoder gives."""
SPECIAL: Final = 3
"""How many there are: the symbols of a vocabulary are counted from here."""

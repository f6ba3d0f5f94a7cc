"""The tokens of pairs of texts that stand for no symbol: the first ones of each vocabulary, and their numbers."""

from typing import Final

SPECIAL: Final = ("<pad>", "<begin>", "<end>")
PAD: Final = 0
"""Fills a text up to the length of the longest of its batch."""
BEGIN: Final = 1
"""The first token that a decoder is given."""
END: Final = 2
"""The last token that a decoder gives."""

"""The arrays of a file that a run left behind. It comes from a store that anyone may write to: no pickles are read."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any, Final

import numpy as np

LARGEST: Final = 64 * 1024 * 1024
"""How many bytes a file may hold unpacked."""
_MALFORMED: Final = (
    ValueError,
    KeyError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,
)
"""The errors that zipfile and NumPy raise on a file that is no archive of arrays."""


class ArrayFileError(ValueError):
    """A file cannot be read; its text says why, to be put behind the file's name: "it is no archive ..."."""


def read_arrays(content: bytes) -> dict[str, Any]:
    """The arrays of a .npz file, by their names.

    Raises:
        ArrayFileError: The file is too large or not one of plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > LARGEST:
            raise ArrayFileError(f"it unpacks to {size / 2**20:,.0f} MiB, of which {LARGEST // 2**20} are allowed")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ArrayFileError:
        raise
    except _MALFORMED as error:
        raise ArrayFileError("it is no archive of plain NumPy arrays") from error


def checked_arrays(content: bytes, kinds: dict[str, str]) -> list[np.ndarray]:
    """These arrays of a .npz file, in their order.

    Args:
        content: The file.
        kinds: By name of each array: the kinds of NumPy types that it may have, such as "iu".

    Raises:
        ArrayFileError: The file cannot be read, or an array is missing or has another type.
    """
    arrays = read_arrays(content)
    for name, allowed in kinds.items():
        if name not in arrays:
            raise ArrayFileError(f"it has no {name}")
        if not isinstance(arrays[name], np.ndarray) or arrays[name].dtype.kind not in allowed:
            raise ArrayFileError(f"its {name} has the wrong type")
    return [arrays[name] for name in kinds]

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sage_select import kernels
from sage_select.errors import DataError, UsageError

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def draw(key: int, word: int) -> int:
    """Return the draw that the documentation of `keyed_hashes` defines."""
    key = mix((key + GOLDEN) & MASK)
    return mix((mix(word ^ key) + key) & MASK)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_hash_rows_are_blake3(kind: pa.DataType) -> None:
    # The empty input and "abc" are in the published test vectors of BLAKE3.
    hashes = kernels.hash_rows(pa.array(["", "abc", "abc"], kind))
    assert hashes.type == pa.string()
    assert hashes.to_pylist() == [
        "af1349b9f5f9a1a6a0404dea36dcc949",
        "6437b3ac38465133ffb63b75273a8db5",
        "6437b3ac38465133ffb63b75273a8db5",
    ]
    hashes.validate(full=True)


def test_hash_rows_of_nothing() -> None:
    assert kernels.hash_rows(pa.array([], pa.string())).to_pylist() == []
    assert kernels.hash_rows(pa.chunked_array([], pa.string())).to_pylist() == []


@pytest.mark.parametrize("key", [0, 1, 42, MASK])
def test_keyed_hashes_follow_their_definition(key: int) -> None:
    drawn = kernels.keyed_hashes(key, 5)
    assert drawn.dtype == np.uint64
    assert drawn.tolist() == [draw(key, mix((row + GOLDEN) & MASK)) for row in range(5)]
    names = ["a", "", "é"]
    digests = [bytes.fromhex(digest) for digest in kernels.hash_rows(pa.array(names)).to_pylist()]
    expected = [draw(key, int.from_bytes(digest[:8], "little")) for digest in digests]
    assert kernels.keyed_hashes(key, pa.array(names)).tolist() == expected


def test_keyed_hashes_stay_what_they_are() -> None:
    assert kernels.keyed_hashes(42, 8)[7] == 0xA4271B597CBA803B
    assert kernels.keyed_hashes(42, pa.array(["row-7"]))[0] == 0x0AA0170952A30511


def test_bottom_k_is_a_stable_sort() -> None:
    hashes = np.random.default_rng(0).integers(0, 40, 500, dtype=np.uint64)
    expected = np.argsort(hashes, kind="stable")
    for k in (0, 1, 37, 500):
        picks = kernels.bottom_k_hashes(hashes, k)
        assert picks.dtype == np.int64
        assert picks.tolist() == expected[:k].tolist()


@pytest.mark.parametrize("bad", [-1, 2**64, 1.5, True, "7"])
def test_a_key_is_an_unsigned_word(bad: object) -> None:
    with pytest.raises(UsageError, match="key is out of range"):
        kernels.keyed_hashes(bad, 3)  # type: ignore[arg-type]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="does not hold text") as refused:
        kernels.hash_rows(pa.array([1, 2]))
    assert refused.value.got == "int64"
    with pytest.raises(DataError, match="row 3: the text is null"):
        kernels.hash_rows(pa.chunked_array([["a", "b"], ["c", None, None]]))
    with pytest.raises(UsageError, match="must be an Arrow array"):
        kernels.hash_rows(["a"])


def test_bottom_k_refuses_what_does_not_fit() -> None:
    with pytest.raises(UsageError, match="3 rows are requested, but there are 2"):
        kernels.bottom_k_hashes(np.array([1, 2], np.uint64), 3)
    with pytest.raises(DataError, match="whole numbers"):
        kernels.bottom_k_hashes(np.array([1.0]), 1)
    with pytest.raises(DataError, match="row 1: hashes holds a number that does not fit"):
        kernels.bottom_k_hashes(np.array([1, -1]), 1)

"""Hashes of rows: they find which rows differ, whatever the order."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.verify.row_hashes import row_hashes, same_rows, unmatched

_row = st.tuples(
    st.sampled_from(["a", "b", None]), st.integers(-2, 2), st.floats(width=32), st.booleans()
)
_rows = st.lists(_row, max_size=12)


def _table(rows: list[tuple[str | None, int, float, bool]]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = (pa.string(), pa.int64(), pa.float32(), pa.bool_())
    arrays = [pa.array(c, t) for c, t in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=["s", "i", "f", "b"])


def _hashes(rows: list[tuple[str | None, int, float, bool]]):  # type: ignore[no-untyped-def]
    return row_hashes(_table(rows), ["s", "i", "f", "b"])


@settings(deadline=None)
@given(_rows, st.randoms())
def test_the_order_of_rows_makes_no_difference(rows: list, random) -> None:  # type: ignore
    mixed = list(rows)
    random.shuffle(mixed)
    assert same_rows(_hashes(rows), _hashes(mixed))
    assert [len(left) for left in unmatched(_hashes(rows), _hashes(mixed))] == [0, 0]


@settings(deadline=None)
@given(_rows, _rows)
def test_what_is_on_one_side_only_is_named_as_often_as_it_is_there(one: list, other: list) -> None:  # type: ignore
    def known(row):  # type: ignore[no-untyped-def]
        return repr(row)

    left = sorted(map(known, one))
    right = sorted(map(known, other))
    missing = list(left)
    extra = []
    for row in right:
        if row in missing:
            missing.remove(row)
        else:
            extra.append(row)
    only_one, only_other = unmatched(_hashes(one), _hashes(other))
    assert sorted(known(one[i]) for i in only_one) == missing
    assert sorted(known(other[i]) for i in only_other) == sorted(extra)


def test_an_encoded_dictionary_counts_as_its_values() -> None:
    plain = _table([("a", 1, 1.0, True), ("b", 2, 2.0, False)])
    encoded = plain.set_column(0, "s", plain["s"].dictionary_encode())
    assert same_rows(row_hashes(plain, ["s", "i"]), row_hashes(encoded, ["s", "i"]))


def test_no_number_and_minus_zero_are_told_by_their_bits() -> None:
    nan = float("nan")
    assert same_rows(_hashes([("a", 1, nan, True)]), _hashes([("a", 1, nan, True)]))
    assert not same_rows(_hashes([("a", 1, 0.0, True)]), _hashes([("a", 1, -0.0, True)]))

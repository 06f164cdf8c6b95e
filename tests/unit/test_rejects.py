"""Rejected items are counted and named, and too many of them stop a run with the number in the message."""

from pathlib import Path

import pandas as pd
import pytest

from dcgan.core.files import InputError
from dcgan.data.rejects import Rejects


def test_a_run_stops_as_soon_as_the_limit_is_certain_to_be_passed() -> None:
    rejects = Rejects(0.1, total=20, parameter="export.max_rejects")
    rejects.reject("a", "empty")
    rejects.reject("b", "empty")
    with pytest.raises(InputError, match=r"^3 of 20 items \(15.00%\) cannot be used, export.max_rejects allows 10.00%"):
        rejects.reject("c", "empty")


def test_the_share_is_that_of_the_items_seen_at_the_end() -> None:
    rejects = Rejects(0.1, total=1000, parameter="export.max_rejects")
    rejects.accept(8)
    rejects.reject("a", "empty")
    with pytest.raises(InputError, match=r"1 of 9 items .*the first: a \(empty\)"):
        rejects.check()
    rejects.accept(1)
    rejects.check()


def test_shards_are_judged_together(tmp_path: Path) -> None:
    tables = [tmp_path / f"{shard}.csv" for shard in range(3)]
    for table, keys in zip(tables, (["a", "b"], [], ["nan"]), strict=True):
        pd.DataFrame([(key, "empty") for key in keys], columns=["key", "reason"]).to_csv(table, index=False)
    rejects = Rejects.joined(tables, 0.05, "x")
    assert rejects.rows == [("a", "empty"), ("b", "empty"), ("nan", "empty")]
    rejects.accept(56)
    with pytest.raises(InputError, match=r"3 of 59 items \(5.08%\) cannot be used, x allows 5.00%; the first: a"):
        rejects.check()
    rejects.accept(1)
    rejects.check()


def test_nothing_is_allowed_at_zero() -> None:
    with pytest.raises(InputError):
        Rejects(0.0, 10**6, "x").reject("a", "empty")
    Rejects(0.0, 0, "x").check()


def test_the_list_is_written_also_after_an_error(tmp_path: Path) -> None:
    rejects = Rejects(0.5, 2, "x")
    with pytest.raises(InputError), rejects.recorded(tmp_path / "rejects.csv"):
        rejects.reject('with "quotes", and a comma', "first\treason")
        rejects.reject("b", "second")
    table = pd.read_csv(tmp_path / "rejects.csv")
    assert table.values.tolist() == [['with "quotes", and a comma', "first\treason"], ["b", "second"]]


def test_rejects_are_counted_by_what_their_reasons_begin_with() -> None:
    rejects = Rejects(1.0, total=5, parameter="x")
    for key, reason in zip(
        "abcd", ("too small: 8 x 9", "too small: 1 x 1", "not an image (PNG)", "empty"), strict=True
    ):
        rejects.reject(key, reason)
    assert rejects.by_reason() == {
        "rejected_as_empty": 1,
        "rejected_as_not_an_image": 1,
        "rejected_as_too_small": 2,
    }

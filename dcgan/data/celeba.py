"""Aligned CelebA: 202,599 pictures of 178 x 218, with its attributes and its partition if their lists are there.

Pictures: `img_align_celeba/*.jpg`, also below `Img/`. Lists: `list_attr_celeba` and `list_eval_partition`, as `.txt`
(the original form) or `.csv`, beside the pictures or up to two folders above, there also in `Anno/` and `Eval/`.
Section 4.2 has faces of its own; these are an alternative to them.
"""

import csv
import io
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from posixpath import basename, splitext

import numpy as np
import pandas as pd

from dcgan.core.files import InputError
from dcgan.data.archives import FolderSource, printable
from dcgan.data.image_folders import Entries, FolderSplit
from dcgan.data.labelled import LabelledSet, Split

PICTURES = "img_align_celeba"
ATTRIBUTES, PARTITION = "list_attr_celeba", "list_eval_partition"
SUFFIXES = (".jpg", ".png")
SPLITS = ("train", "validation", "test")  # numbered so by the partition
LEAST_COVERAGE = 0.9


def find_pictures(path: Path) -> Path:
    """The folder of the pictures; the given one if it has none of the usual names in it."""
    # One archive in use has the folder twice.
    names = (f"{above}{PICTURES}{below}" for below in (f"/{PICTURES}", "") for above in ("", "Img/"))
    return next((path / name for name in names if (path / name).is_dir()), path)


def open_celeba(path: Path) -> LabelledSet:
    """Train, validation and test if the partition is there, else all as train; attributes if their list is there.

    A picture that the partition does not name cannot be used. Raises InputError if there are no pictures, or if a list
    is in another form, does not name nine in ten of the pictures, or puts none into train.
    """
    folder = find_pictures(path)
    entries = [entry for entry in FolderSource(folder).entries if entry[1] or entry[0].lower().endswith(SUFFIXES)]
    if not entries:
        raise InputError(f"{folder}: holds no .jpg or .png of CelebA")
    files = {name: find_list(path, folder, name) for name in (ATTRIBUTES, PARTITION)}
    tables = {name: read_list(file, name, entries) for name, file in files.items() if file is not None}
    notes = [f"{len(entries):,} pictures in {printable(folder.name)}/"]
    for name, file in files.items():
        place = "" if file is None else printable("/".join(file.parts[-2:]))
        notes.append(f"{place}: names {len(tables[name]):,} of them" if place else f"no {name}")
    if PARTITION in tables and 0 not in tables[PARTITION].iloc[:, 1].to_numpy():
        raise InputError(f"{files[PARTITION]}: puts no picture into train, which is 0 in it")
    groups = by_part(entries, tables[PARTITION]) if PARTITION in tables else {"train": entries}
    splits: list[Split] = [FolderSplit(name, folder, group, None) for name, group in groups.items() if group]
    return LabelledSet(splits, attributes=tables.get(ATTRIBUTES), notes=notes)


def by_part(entries: Entries, partition: pd.DataFrame) -> dict[str, Entries]:
    """The pictures of each split; those that the partition does not name are rejected among the first."""
    part_of = dict(zip(partition["key"], partition.iloc[:, 1], strict=True))
    groups: dict[str, Entries] = {name: [] for name in SPLITS}
    for name, reason in entries:
        part = part_of.get(printable(name))
        groups[SPLITS[part or 0]].append((name, reason or ("" if part is not None else f"not in {PARTITION}")))
    return groups


def find_list(path: Path, folder: Path, name: str) -> Path | None:
    """The file of a list, None if there is none."""
    places = dict.fromkeys([path, path.parent, *(folder.parents[:2])])
    files = (
        place / below / f"{name}{suffix}" for place in places for below in ("", "Anno", "Eval") for suffix in FORMS
    )
    return next((file for file in files if file.is_file()), None)


def read_list(file: Path, name: str, entries: Entries) -> pd.DataFrame:
    """A list as a table: `key`, the key of a picture, and whole numbers; only pictures that are there have a row.

    Raises InputError if the list is in another form, or names too few of the pictures.
    """
    try:
        columns, rows = FORMS[file.suffix](file.read_text(encoding="utf-8-sig"))
        table = table_of(columns, rows)
        allowed = {0, 1, 2} if name == PARTITION else {-1, 0, 1}
        if name == PARTITION and len(columns) != 2:
            raise ValueError(f"{len(columns)} columns instead of two")
        if not np.isin(table.iloc[:, 1:], list(allowed)).all():
            raise ValueError(f"values other than {', '.join(map(str, sorted(allowed)))}")
        keys = {stem(entry): printable(entry) for entry, _ in entries}
        if len(keys) < len(entries):
            raise ValueError("two pictures have the same name, in different folders")
    except (OSError, ValueError, IndexError, OverflowError, csv.Error) as error:
        raise InputError(f"{file}: not a readable list of CelebA ({' '.join(str(error).split())})") from error
    table["key"] = [keys.get(stem(key)) for key in table["key"]]
    named = table[table["key"].notna()].reset_index(drop=True)
    if len(named) < LEAST_COVERAGE * len(entries):
        raise InputError(f"{file}: names only {len(named):,} of {len(entries):,} pictures, as {rows[0][0]}")
    return named


def stem(name: str) -> str:
    """The name of a picture without folders and suffix; pathlib takes seconds for all of them."""
    return splitext(basename(name))[0]


def csv_rows(text: str) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a CSV; a column without a name at its begin, as pandas writes its index, is left out."""
    columns, *rows = (row for row in csv.reader(io.StringIO(text)) if row)
    if columns[0].lower().endswith(SUFFIXES):
        raise ValueError("it has no line with names of columns")
    if columns[0].strip() and not columns[0].startswith("Unnamed"):
        return columns, rows
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("rows of different length")
    return columns[1:], [row[1:] for row in rows]


def text_rows(text: str) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a list with blanks between the columns; above attributes stand a count and their names."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines[0]) > 1:
        return ["key", "partition"], lines
    if int(lines[0][0]) != len(lines) - 2:
        raise ValueError(f"its first line counts {lines[0][0]} rows, there are {len(lines) - 2}")
    return ["key", *lines[1]], lines[2:]


FORMS = {".csv": csv_rows, ".txt": text_rows}


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Keys and whole numbers as a table; raises ValueError for cut rows, words, repeated names or no rows."""
    wrong = next((row for row in rows if len(row) != len(columns)), None)
    if len(columns) < 2 or not rows or wrong is not None:
        raise ValueError(f"{len(columns)} columns, {len(rows)} rows{f', one of them {wrong}' if wrong else ''}")
    keys = [row[0] for row in rows]
    if len(set(keys)) < len(keys) or len(set(columns)) < len(columns):
        raise ValueError("a name stands in it twice")
    cells = chain.from_iterable(row[1:] for row in rows)
    numbers = np.fromiter(map(int, cells), np.int64).reshape(len(rows), -1)  # in half of the time of astype
    return pd.DataFrame(numbers, columns=list(columns[1:])).assign(key=keys)[["key", *columns[1:]]]

"""What the sections of `params.yaml` are made of: types with the range that makes sense, and the section itself."""

import os
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from workflow.params.unknown import UNKNOWN

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Several = Annotated[int, Field(ge=2, le=1_000_000)]  # of what is drawn or compared
CountOrZero = Annotated[int, Field(ge=0, le=1_000_000_000)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
BatchSize = Annotated[int, Field(ge=2, le=65_536)]
Beta = Annotated[float, Field(ge=0, lt=1)]
ImageSize = Annotated[int, Field(ge=8, le=1024)]
Rate = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1, le=10_000)]  # pixels, columns, layers' widths
Enlargement = Annotated[int, Field(ge=1, le=64)]
Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


def check_path(path: str) -> str:
    """Raises ValueError for a path that does not survive as a word of a shell's command, in double quotes."""
    written_out = os.path.expandvars(os.path.expanduser(path))
    if written_out != path:
        raise ValueError(f"is not expanded here; write {written_out}")
    if not path or re.search(r'["$`\\\n\r]', path):
        raise ValueError('needs a path without " $ ` \\ and line ends')
    return path


def check_gap(gap: float | None, section: ValidationInfo) -> float | None:
    """Raises ValueError for a gap without antialiasing, whose rule picks single pixels out of the whole image."""
    if gap is not None and not section.data.get("antialias"):
        raise ValueError("needs antialias: true; without antialiasing it is null")
    return gap


def check_rising(counts: list[int]) -> list[int]:
    """Raises ValueError where a number is not above the one before: what is counted once is never taken away again."""
    if any(later <= earlier for earlier, later in pairwise(counts)):
        raise ValueError("has to rise")
    return counts


def check_splits(folders: dict[str, str] | None) -> dict[str, str] | None:
    """Raises ValueError if no folder is named for training, or one for a split that there is not."""
    if folders is not None and not {"train"} <= folders.keys() <= {"train", "test", "validation"}:
        raise ValueError("needs train, and may have test and validation")
    return folders


Rising = Annotated[list[Count], Field(min_length=1), AfterValidator(check_rising)]
Source = Annotated[str, AfterValidator(check_path)]
ReducingGap = Annotated[Annotated[float, Field(ge=1, allow_inf_nan=False)] | None, AfterValidator(check_gap)]
Splits = Annotated[dict[str, Source] | None, AfterValidator(check_splits)]
Shards = list[CountOrZero]
AtMostOne = Annotated[list[Name], Field(max_length=1)]  # DVC makes a stage for each item, so none for an empty list


class Section(BaseModel):
    """A part of params.yaml: every key must be there, none may be added, and 1 is never taken for '1'."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def unknown_value(cls, value: Any, check: Callable[[Any], Any]) -> Any:
        """A value that is unknown stays so."""
        return value if value is UNKNOWN else check(value)

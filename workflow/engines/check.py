"""Looks at everything a person gave, before any work starts: `python -m workflow.engines.check`.

Checked: params.yaml against its schema; the DAG resolves under both engines' rules; every path that a stage needs and
no stage makes exists; raw sources, and stores of one's own, are what their parameter says they are (an LMDB that is
none, an empty folder and a file of another format are found here, not hours later). Exit status 2 with one line for the
first thing that is wrong.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dcgan.core.files import InputError
from workflow.engines.dag import Stage, is_inside, resolved_stages, whole_outputs
from workflow.engines.stage import run_stage
from workflow.params.figures import by_hand
from workflow.params.load import load_params
from workflow.params.sections import Params

if TYPE_CHECKING:
    from dcgan.data.formats import Kind

FILLED_BY_HAND = "`make annotate` fills it once its generator is trained"


class RawSource(NamedTuple):
    """A path that a parameter names, and what has to be there."""

    key: str
    path: str
    kind: "Kind"


def main(arguments: list[str] | None = None) -> None:
    """Checks the checkout that one stands in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    check(Path())


def check(root: Path) -> None:
    """Raises InputError for the first thing that would stop a run."""
    params = load_params(root / "params.yaml")
    stages = resolved_stages(root)
    outputs = [path for stage in stages.values() for path in stage.outputs]
    sources = list(raw_sources(params))
    check_existence(root, stages, outputs, {source.path: source.key for source in sources})
    for source in sources:
        if is_brought(source.path, outputs):
            check_kind(root, source)
        elif any(is_inside(path, source.path) for path in outputs):
            raise InputError(f"params.yaml: {source.key}: {source.path!r} holds what the DAG makes; it is no source")
    check_files(root, params, outputs)


def raw_sources(params: Params) -> Iterator[RawSource]:
    """Every parameter that names what a person may have to bring."""
    yield RawSource("export.source", params.export.source, "lsun")
    yield RawSource("crop_faces.source", params.crop_faces.source, "photos")
    for name, packed in params.pack.sets.items():
        yield RawSource(f"pack.sets.{name}.source", packed.source, packed.kind)


def is_brought(path: str, outputs: list[str]) -> bool:
    """Whether a path is a person's own: no output, nothing inside one, and no folder above one."""
    return path not in outputs and whole_outputs([path], outputs) == [path]


def check_files(root: Path, params: Params, outputs: list[str]) -> None:
    """Raises InputError where a model's file is missing, or where a network is to learn from a file of one's own that
    is no image store.
    """
    models = {"crop_faces.model": params.crop_faces.model if params.crop_faces.detector == "yunet" else None}
    for key, path in {**models, "quality.inception": params.quality.inception}.items():
        if path is not None and not (root / path).is_file():
            raise InputError(f"params.yaml: {key}: {path!r} is no file")
    for name, section in params.train.items():
        if is_brought(section.images, outputs) and (root / section.images).exists():
            from dcgan.data.image_store import ImageStore  # h5py is needed here only

            try:
                ImageStore(root / section.images)
            except InputError as error:
                raise InputError(f"params.yaml: train.{name}.images: {error}") from error


def check_existence(root: Path, stages: Mapping[str, Stage], outputs: list[str], keys: Mapping[str, str]) -> None:
    """Raises InputError where a stage needs a path that neither exists nor is made.

    keys: which parameter names a path.
    """
    made = set(outputs)
    for stage in stages.values():
        for path in stage.inputs:
            if path not in made and not (root / path).exists():
                named = f"params.yaml: {keys[path]}: " if path in keys else f"stage {stage.name}: "
                hint = f" (put {{}} into it: {FILLED_BY_HAND})" if by_hand(path) else ""
                raise InputError(f"{named}{path!r} does not exist, and no stage makes it{hint}")


def check_kind(root: Path, source: RawSource) -> None:
    """Raises InputError where what lies at a source's path is not of its kind."""
    from dcgan.data.formats import inspect_source

    try:
        inspect_source(root / source.path, source.kind)
    except InputError as error:
        raise InputError(f"params.yaml: {source.key}: {error}") from error


if __name__ == "__main__":
    run_stage(main)

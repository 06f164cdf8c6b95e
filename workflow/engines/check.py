"""Checks everything that a person gave before any work starts: `python -m workflow.engines.check`.

Checked: params.yaml against its schema; the DAG under both engines' rules; that every path exists that a stage needs
and no stage makes; that raw sources and image stores of one's own are what their parameter says (a folder that is no
LMDB is found here, not hours later). Exit status 2 with one line for the first thing that is wrong.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path

from dcgan.core.files import InputError
from dcgan.data.layouts import UnclearLayout
from workflow.engines.dag import is_inside, needed_for, resolved_stages, whole_outputs
from workflow.engines.stage import command_parser, run_stage
from workflow.params.figures import by_hand
from workflow.params.load import load_params
from workflow.params.sections import Params

FILLED_BY_HAND = " (put {} into it: `make annotate` fills it once its generator is trained)"


def main() -> None:
    """Checks the checkout in the working directory."""
    command_parser(__doc__).parse_args()
    check(Path())


def check(root: Path, targets: Collection[str] = ()) -> None:
    """Raises InputError for the first thing that would stop a run, or one of only some rules or outputs."""
    params, stages = load_params(root / "params.yaml"), resolved_stages(root)
    outputs = {path for stage in stages.values() for path in stage.outputs}
    whole, stages = len(stages), needed_for(targets, stages)
    inputs = {path for stage in stages.values() for path in stage.inputs}
    data = [entry for entry in data_of(params) if len(stages) == whole or entry[1] in inputs]
    named = {path: f"params.yaml: {key}" for key, path, _ in data}
    for stage in stages.values():
        for path in (path for path in stage.inputs if path not in outputs and not (root / path).exists()):
            where, hint = named.get(path, f"stage {stage.name}"), FILLED_BY_HAND if by_hand(path) else ""
            raise InputError(f"{where}: {path!r} does not exist, and no stage makes it{hint}")
    for key, path, inspect in data:
        try:
            check_data(root, path, outputs, inspect)
        except UnclearLayout as error:
            splits = key.removesuffix("source") + "splits"
            raise InputError(f"params.yaml: {key}: {error}; name them in {splits}") from error
        except InputError as error:
            raise InputError(f"params.yaml: {key}: {error}") from error


def data_of(params: Params) -> Iterator[tuple[str, str, Callable[[Path], object]]]:
    """Every parameter that names a file a person may have to bring: key, path, and what raises InputError if it is
    wrong. The DAG may make the data: those of the demo, and all that networks learn from.
    """
    from dcgan.data.formats import inspect_source

    if params.export.sets:
        yield "export.source", params.export.source, partial(inspect_source, kind="lsun")
    if params.crop_faces.sets:
        yield "crop_faces.source", params.crop_faces.source, partial(inspect_source, kind="photos")
    for name, packed in params.pack.sets.items():
        yield f"pack.sets.{name}.source", packed.source, partial(inspect_source, kind=packed.kind, named=packed.splits)
    for name, section in params.train.items():
        yield f"train.{name}.images", section.images, open_store
    if params.crop_faces.sets and params.crop_faces.detector == "yunet" and params.crop_faces.model is not None:
        yield "crop_faces.model", params.crop_faces.model, open_file
    if params.quality.inception is not None:
        yield "quality.inception", params.quality.inception, open_file


def open_store(path: Path) -> None:
    """Raises InputError if a file is no image store."""
    from dcgan.data.image_store import ImageStore  # h5py is needed here only

    if path.exists():
        ImageStore(path)


def open_file(path: Path) -> None:
    """Raises InputError if a file of a model is none."""
    if not path.is_file():
        raise InputError(f"{str(path)!r} is no file")


def check_data(root: Path, path: str, outputs: set[str], inspect: Callable[[Path], object]) -> None:
    """Raises InputError if a path is a folder above outputs, or is a person's own and not what it should be."""
    if any(is_inside(output, path) for output in outputs):
        raise InputError(f"{path!r} holds what the DAG makes; it is no source")
    if path not in outputs and whole_outputs([path], outputs) == [path]:
        inspect(root / path)


if __name__ == "__main__":
    run_stage(main)

"""Files that a stage would reject are told before any work, if they are more than may be rejected."""

import tarfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from PIL import Image

from dcgan.core.files import InputError, write_json
from tests.dag.pictures import write_pictures
from tests.dag.test_folder import project
from tests.stages.sources import write_lmdb
from workflow.engines.check import check
from workflow.params.load import merged, read_yaml


def test_files_in_other_formats_are_told_before_work(tmp_path: Path) -> None:
    """Telephones write HEIC; a few may lie beside pictures."""
    pictures = write_pictures(tmp_path / "mine", 120, classes=False)
    for number in range(200):
        (pictures / f"IMG_{number:03}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    folder = project(tmp_path / "checked", pictures, "{}")
    seen = "201 of 321 files of export.source are no JPEG, PNG, WEBP, GIF, BMP, IMG_000.HEIC first"
    with pytest.raises(InputError, match=rf"export.max_rejects: 0.2 is not allowed \({seen}\)"):
        check(folder)
    for number in range(28, 200):
        (pictures / f"IMG_{number:03}.HEIC").unlink()
    check(folder)


@pytest.mark.parametrize("form", ["folder", "tar", "lmdb", "classes"])
def test_pictures_that_are_too_small_are_told_before_work(tmp_path: Path, form: str) -> None:
    """As the stage does, a shorter side below `min_side` counts among the rejects, of which 24 of 121 are allowed."""
    pictures = write_pictures(tmp_path / "mine", 120, classes=form == "classes")
    files = sorted(pictures.rglob("*.jpg"))
    for number, path in enumerate(files[:30]):
        Image.new("RGB", (200, 20 + number // 10)).save(path)
    if form == "tar":
        with tarfile.open(tmp_path / "mine.tar", "w") as archive:
            archive.add(pictures, ".")
        pictures = tmp_path / "mine.tar"
    if form == "lmdb":
        pictures = write_lmdb(tmp_path / "lmdb", {path.name: path.read_bytes() for path in pictures.glob("*")})
    keys = {"export": "export.source", **({"pack": "pack.sets.mine.source"} if form == "classes" else {})}
    folder = project(tmp_path / "checked", pictures, "{}")
    for least, allowed in ((32, False), (23, False), (22, True)):
        params = read_yaml(folder / "params.yaml")
        write_json(folder / "params.yaml", merged(params, {section: {"min_side": least} for section in keys}))
        with nullcontext() if allowed else pytest.raises(InputError) as error:
            check(folder)
        if not allowed:
            for line, (section, source) in zip(str(error.value).split("\n"), keys.items(), strict=True):
                told = f"(at most 22: 30 of 121 files of {source} are smaller, "
                assert line.startswith(f"params.yaml: {section}.min_side: {least} is not allowed {told}")
                assert line.endswith(f" first; {section}.max_rejects is 0.2)")

"""`make fetch`: what is downloaded lies where the preset `small` looks for it; a failure does not stop the rest."""

from pathlib import Path

import pytest
import torchvision.datasets.utils as downloads

from dcgan.core.files import InputError
from workflow.fetch import main
from workflow.presets.merge import preset_params

SETS = ("cifar10", "svhn", "mnist")


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were requested, each with a digest to be checked; nothing goes over a network."""
    names: list[str] = []

    def download_url(url: str, root: str, filename: str | None = None, md5: str | None = None, **_: object) -> None:
        assert md5 is not None
        name = filename or url.rpartition("/")[2]
        names.append(name)
        Path(root).mkdir(parents=True, exist_ok=True)
        (Path(root) / name).write_bytes(b"downloaded")

    def download_and_extract_archive(url: str, download_root: str, **options: object) -> None:
        download_url(url, download_root, **options)  # type: ignore[arg-type]
        (Path(download_root) / "cifar-10-batches-py").mkdir()

    monkeypatch.setattr(downloads, "download_url", download_url)
    monkeypatch.setattr(downloads, "download_and_extract_archive", download_and_extract_archive)
    return names


def test_downloads_lie_where_the_preset_looks_for_them(
    tmp_path: Path, root: Path, requested: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--into", str(tmp_path / "data/raw")])
    sets = preset_params("small").pack.sets
    assert [name for name in SETS if not (tmp_path / sets[name].source).exists()] == []
    assert len(requested) == len(set(requested)) == 1 + 3 + 4
    printed = capsys.readouterr().out
    assert "LSUN" in printed and "ImageNet" in printed and "PRESET=small" in printed


def test_what_cannot_be_downloaded_is_reported_and_the_rest_is_fetched(
    tmp_path: Path, requested: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(downloads, "download_and_extract_archive", refused)
    with pytest.raises(InputError, match="could not be downloaded: cifar10"):
        main(["--into", str(tmp_path)])
    assert (tmp_path / "svhn" / "train_32x32.mat").exists() and len(list((tmp_path / "mnist").iterdir())) == 4
    assert "cifar10: not downloaded (no route to host)" in capsys.readouterr().out

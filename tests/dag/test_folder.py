"""The preset `folder`: what is understood of pictures of one's own, sections that are off, branches that run alone."""

import os
import shutil
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dcgan.core.files import InputError, read_json
from dcgan.data.image_store import ImageStore
from tests.dag.conftest import make_checkout
from tests.dag.demo import ROOT, demo_project, demo_stages
from tests.dag.pictures import KINDS, write_pictures
from tests.dag.test_params import one_line
from tests.dag.tiny import digests
from tests.stages.sources import write_lmdb
from workflow.engines import dag
from workflow.engines.check import check
from workflow.params.load import LEFT_OUT, check_params, merged, parse_yaml, read_yaml
from workflow.params.sections import Params
from workflow.planning.plan import RATES, plan
from workflow.presets.merge import main, preset_text
from workflow.presets.own_folder import own_folder, values_of

# One epoch of a small network, and a few of everything that is drawn.
CUT = """
run: {threads: 1, device: cpu}
autoencoder: {minibatches: 10}
shared: {train: {curve_interval: 4, frame_images: 200}}
train: {mine: {epochs: 1, sample_epochs: [1], keep_images: 200, batch_size: 32}}
svm: {mine: {costs: [0.0001, 0.001]}}
quality: {draws: 2}
explore: {statistics_batches: 1, count: 2}
figures:
  walk: {mine: {length: 20, walks: 2, statistics_batches: 1}}
  nearest: {mine: {samples: 40}}
"""
# What measures or shows something, and what depends on all that there is.
MEASURES = ("features", "svm", "quality.sets", "figures.samples", "figures.animation", "figures.nearest")
SHOWS = ("explore.pages", "explore.networks")


def chosen(path: Path, size: str = "32", network: str | None = None) -> tuple[Params, str]:
    """The parameters of the preset for a source, and what was understood."""
    texts, notes = own_folder(str(path), size, network)
    return check_params(parse_yaml(preset_text("folder", *texts), path), path), "\n".join(notes)


@pytest.fixture(scope="module")
def albums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 pictures in three class folders."""
    return write_pictures(tmp_path_factory.mktemp("own") / "my pictures", 120)


@pytest.mark.parametrize("form", ["folder", "tar", "lmdb"])
def test_pictures_in_any_form_are_one_set(tmp_path: Path, form: str) -> None:
    source = write_pictures(tmp_path / "folder", 120, classes=False)
    if form == "tar":
        source = tmp_path / "pictures.tar"
        with tarfile.open(source, "w") as archive:
            archive.add(tmp_path / "folder", ".")
    if form == "lmdb":
        source = write_lmdb(tmp_path / "lmdb", {path.name: path.read_bytes() for path in source.glob("*")})
    params, understood = chosen(source, "64")
    assert f"{source}: 121 items; pictures without classes" == understood
    assert (params.export.source, params.export.image_size, params.report.title) == (
        *(str(source), 64),
        f"A DCGAN of {source.name}",
    )
    (name, section), *others = params.train.items()
    assert (name, others, section.network, section.images) == ("mine", [], "tutorial64", "data/mine/unique.h5")
    assert not params.deduplicate.drop and not params.pack.sets and not params.svm


def test_class_folders_bring_features_and_a_classifier(albums: Path) -> None:
    params, understood = chosen(albums)
    assert (
        "3 class folders, crosses/, discs/, stripes/; so features, SVM and confusion matrix as well; 24 of"
        in understood
    )
    assert (params.pack.sets["mine"].test, params.svm["mine"].published_error) == (24, None)
    assert params.train["mine"].images == "data/packed/mine/train.h5", "no image of the test is trained on"
    assert params.train["mine"].network == "svhn32"


@pytest.mark.parametrize(
    ("names", "learned", "splits"),
    [
        (["test"], True, None),
        (["test", "val"], False, None),
        (["val"], True, {"train": "train", "test": "val"}),
        (["validate"], True, {"train": "train", "test": "validate"}),
        (["test", "dev"], False, None),
    ],
)
def test_splits_are_kept(tmp_path: Path, names: list[str], learned: bool, splits: dict[str, str] | None) -> None:
    """Images for validation are the test's, if there are no others."""
    for name in ("train", *names):
        write_pictures(tmp_path / name, 90)
    section = chosen(tmp_path)[0]
    assert (section.pack.sets["mine"].test, section.pack.sets["mine"].splits) == (0, splits)
    assert section.svm["mine"].learn_validation is learned


def test_splits_without_class_folders_classify_nothing(tmp_path: Path) -> None:
    """As the tests of competitions: an SVM can be tested on none of these, which it would find behind a training."""
    write_pictures(tmp_path / "mine/train", 90)
    for split in ("test", "val"):
        write_pictures(tmp_path / "mine" / split, 60, classes=False)
    params, understood = chosen(tmp_path / "mine")
    assert "test/ has none and is of no use for these; val/ has none" in understood
    assert (params.pack.sets["mine"].splits, params.pack.sets["mine"].test) == ({"train": "train"}, 18)
    folder = project(tmp_path / "checked", tmp_path / "mine", "{pack: {sets: {mine: {splits: null, test: 0}}}}")
    with pytest.raises(InputError, match=r"features.mine.images: .* \(no class folders in test and validation\)"):
        check(folder)


def test_folders_of_single_pictures_are_no_classes(tmp_path: Path) -> None:
    for number, path in enumerate(sorted(write_pictures(tmp_path / "all", 120, classes=False).glob("*.jpg"))):
        (tmp_path / "people" / f"person {number}").mkdir(parents=True)
        path.rename(tmp_path / "people" / f"person {number}" / path.name)
    params, understood = chosen(tmp_path / "people")
    assert "120 folders are no classes: fewer than 20 files in each" in understood and not params.features


@pytest.mark.parametrize("count", [1, 9, 10])
def test_a_class_of_a_few_pictures_may_be_in_the_test_alone(tmp_path: Path, count: int) -> None:
    write_pictures(tmp_path / "mine", 120)
    for path in sorted((tmp_path / "mine/discs").glob("*.jpg"))[count:]:
        path.rename(tmp_path / "mine/stripes" / path.name)
    if count < 10:
        with pytest.raises(InputError, match=f"class folder discs/ has {count} of the 10 files that each needs"):
            chosen(tmp_path / "mine")
    else:
        folder = project(tmp_path / "checked", tmp_path / "mine", "{}")
        check(folder)
        (tmp_path / "mine/discs" / os.listdir(tmp_path / "mine/discs")[0]).unlink()
        with pytest.raises(InputError, match=r"pack.sets.mine.test: 24 .* of every class: discs has 9\)"):
            check(folder)


def test_a_class_of_the_test_alone_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train", 90)
    write_pictures(tmp_path / "test", 60)
    (tmp_path / "train/discs").rename(tmp_path / "train/circles")
    with pytest.raises(InputError, match="class folder discs/ has no files for training, only for a test"):
        chosen(tmp_path)


def test_epochs_show_half_a_million_images_and_networks_fit_the_size(albums: Path) -> None:
    assert chosen(albums, "64", "lsun64")[0].train["mine"].latent == "uniform"
    assert chosen(albums)[0].train["mine"].epochs == 300, "at most"
    of_5000, of_250000 = (values_of(albums, count, 32, "svhn32") for count in (5000, 250_000))
    kept = {"keep_images": 125_000, "sample_epochs": [1, 33, 100]}
    assert of_5000["train"]["mine"] == kept | {"network": "svhn32", "latent": "normal", "epochs": 100, "held_out": 500}
    assert of_5000["shared"] == {"train": {"frame_images": 20_000}} and of_5000["export"]["shards"] == [0]
    assert of_250000["train"]["mine"]["epochs"] == 10 and of_250000["export"]["shards"] == [0, 1, 2]
    with pytest.raises(InputError, match="NETWORK=lsun64: for SIZE=32 one of imagenet32, svhn32"):
        chosen(albums, "32", "lsun64")


def test_annotations_bring_the_figures_that_rest_on_them(
    albums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/annotations").mkdir(parents=True)
    (tmp_path / "data/annotations/mine.json").write_text("{}")
    params, understood = chosen(albums)
    assert "window removal, arithmetic and turn as well" in understood
    assert {*params.figures.windows, *params.figures.arithmetic, *params.figures.turn} == {"mine"}
    assert params.figures.arithmetic["mine"].images == "data/packed/mine/train.h5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder"], "PRESET=folder needs IMAGES=FOLDER, a tar or an LMDB of pictures, and SIZE=32 or SIZE=64"),
        (["folder", "--images", "ALBUMS"], "SIZE=: one of 32, 64"),
        (["folder", "--images", "ALBUMS", "--size", "48"], "SIZE=48: one of 32, 64"),
        (["folder", "--images", "nowhere", "--size", "32"], "nowhere: does not exist"),
        (["folder", "--images", "few", "--size", "32"], "3 files; a DCGAN needs 100 pictures or more"),
        (["folder", "--images", "text.zip", "--size", "32"], "not an LMDB, a folder or an uncompressed tar"),
        (["small", "--size", "32"], "IMAGES, SIZE and NETWORK are for PRESET=folder, not for PRESET=small"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_and_leaves_the_parameters(
    albums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """The status, 2, is tested with a preset that nobody knows: tests/dag/test_presets.py."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "few", 2, classes=False)
    (tmp_path / "text.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError) as error:
        main([str(albums) if word == "ALBUMS" else word for word in arguments])
    assert message in one_line(error) and not (tmp_path / "params.yaml").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"caf\xe9", r"caf\xe9: its name has bytes that are no UTF-8"),
        (b"del\x7f", r"del\x7f: its name has bytes that are no UTF-8, or control characters"),
        (b"next\xc2\x85", r"next\u0085: its name has bytes that are no UTF-8, or control characters"),
        (b"new\nline", r"new\x0aline: needs a path without"),
        (b'a"quote', 'a"quote: needs a path without'),
    ],
)
def test_a_name_that_the_parameters_cannot_hold_is_refused(name: bytes, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        own_folder(os.fsdecode(b"/tmp/" + name), "32", None)
    assert one_line(refusal).startswith(f"IMAGES: /tmp/{message}")


def test_the_path_is_absolute_and_home_is_known(
    albums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(albums.parent))
    for given in ("~/my pictures", "$HOME/my pictures", os.path.relpath(albums)):
        main(["folder", "--images", given, "--size", "32"])
        assert read_yaml(Path("params.yaml"))["export"]["source"] == str(albums)
    assert f"{albums}: 121 items" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["data", ".", "data/mine", "linked"])
def test_what_stages_write_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Pictures beside it are one."""
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "data/pictures", 120)
    write_pictures(tmp_path / "data/mine", 120)
    (tmp_path / "linked").symlink_to("data")
    with pytest.raises(InputError, match=f"IMAGES: {tmp_path}.* holds what the DAG makes"):
        own_folder(given, "32", None)
    own_folder("data/pictures", "32", None)


def project(folder: Path, source: Path, further: str, *off: str) -> Path:
    """The DAG and code of the project, with the preset for a source and what differs."""
    folder.mkdir()
    demo_project(folder)
    for read in ("outcomes", "window_maps"):
        (folder / "data" / read).mkdir(parents=True)
    return configure(folder, source, further, *off)


def configure(folder: Path, source: Path, further: str, *off: str) -> Path:
    """Writes the parameters: the preset's, what differs, and without sections that are off anyway, or are to be."""
    texts, _ = own_folder(str(source), "32", "demo32_narrow")
    params = merged(parse_yaml(preset_text("folder", *texts), "preset"), YAML(typ="safe").load(further))
    params = {name: section for name, section in params.items() if section != LEFT_OUT.get(name)}
    for *above, last in (place.split(".") for place in off):
        section = reduce(getitem, above, params)
        if isinstance(section[last], list):
            section[last] = []
        else:
            del section[last]
    check_params(params, "cut")
    YAML(typ="safe").dump(params, folder / "params.yaml")
    return folder


def test_whatever_measures_or_shows_can_be_off(albums: Path, tmp_path: Path) -> None:
    """Left out, or an empty list; what is left is the training, and a report."""
    rest = ("export.sets", "export.shards", "autoencoder", "figures.walk")
    folder = project(tmp_path / "off", albums, "{}", *MEASURES, *SHOWS, *rest)
    check(folder)
    assert set(dag.resolve(folder)) == {
        *("digest_code", "pack_images@mine", "train_dcgan@mine", "judge_claims", "build_report")
    }
    kept = [(ROOT / "data" / read / ".gitkeep").is_file() for read in ("outcomes", "window_maps")]
    assert kept == [True, True], "judge_claims and the explorer read them, though no stage writes into them"


MISSING = "crop_faces: {sets: [faces], shards: [0], source: nowhere}"


def test_a_branch_needs_no_source_of_another(albums: Path, tmp_path: Path) -> None:
    folder = project(tmp_path / "two", albums, MISSING)
    with pytest.raises(InputError, match="crop_faces.source: 'nowhere' does not exist"):
        check(folder)
    for target in ("draw_walk@mine", "results/metrics/quality_mine.json"):
        check(folder, ["--cores", "2", target])
    with pytest.raises(InputError, match="crop_faces.source"):
        check(folder, ["--cores", "2"])
    needed = dag.needed_for(["draw_walk@mine"], dag.resolve(folder))
    assert {name for name in needed if "@" in name} == {
        *("export_lsun@0", "fit_autoencoder@mine", "pack_images@mine", "train_dcgan@mine", "draw_walk@mine")
    }


def test_a_plan_counts_the_pictures_and_says_what_it_assumed(albums: Path, tmp_path: Path) -> None:
    folder, assumed = project(tmp_path / "plan", albums, "{}"), list[str]()
    params = read_yaml(folder / "params.yaml")
    jobs = {job.stage.name: job for job in plan(folder, params, read_yaml(RATES), "none", 2, assumed)}
    assert jobs["export_lsun@0"].work.images == 121
    trained = 121 - 24 - params["train"]["mine"]["held_out"]
    assert jobs["train_dcgan@mine"].work.images == trained * params["train"]["mine"]["epochs"]
    (line,) = assumed
    assert line.startswith(f"{albums}: counted images 121, train 121; 0.0") and "assumed: no duplicates" in line


def test_the_demos_stages_and_outputs_are_what_they_were() -> None:
    lines = (Path(__file__).with_name("demo_outputs.txt")).read_text(encoding="utf-8").splitlines()
    assert lines == [f"{name}: {' '.join(stage.outputs)}" for name, stage in demo_stages().items()]


@pytest.mark.slow
def test_600_pictures_run_under_both_engines(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Each engine first makes one branch alone, while the source of another is missing; then both make everything."""
    source = write_pictures(tmp_path / "pictures", 600)
    (make_checkout(tmp_path / "dvc") / "dvc.lock").unlink()  # of the demo: DVC would write all of it after each stage
    shutil.copytree(tmp_path / "dvc", tmp_path / "snakemake", symlinks=True)
    commands = {"dvc": ("dvc", "repro"), "snakemake": ("snakemake", "--cores", "1")}

    def made(engine: str) -> dict[str, str]:
        folder = configure(tmp_path / engine, source, f"{CUT}\n{MISSING}")
        run(folder, *commands[engine], "draw_walk@mine")
        assert (folder / "results/figures/walk_mine.png").exists()
        run(configure(folder, source, CUT), *commands[engine])
        page = (folder / "results/report.html").read_text(encoding="utf-8")
        assert "A DCGAN of pictures" in page and "Table 1" not in page and "stand-in" not in page
        assert "pixels in the median, 0 are smaller" in page
        assert '<h2 id="claims">What was measured</h2>' in page
        return digests(folder)

    with ThreadPoolExecutor() as threads:
        found = dict(zip(commands, threads.map(made, commands), strict=True))
    assert found["dvc"] == found["snakemake"]
    metrics = {path.stem: read_json(path) for path in (tmp_path / "dvc/results/metrics").glob("*.json")}
    assert metrics["duplicates"]["n_images"] == 600 and metrics["duplicates"]["n_rejected"] == 1
    assert metrics["duplicates"]["n_jpeg"] == 600 and 60 <= metrics["duplicates"]["width_min"] < 70
    assert metrics["svm_mine"]["error"] < 0.4, f"chance is {1 - 1 / len(KINDS):.2f}"
    assert len(ImageStore(tmp_path / "dvc/data/mine/unique.h5")) == 600

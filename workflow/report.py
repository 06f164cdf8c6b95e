"""Collects what a run of the DAG made and renders it as one HTML file that opens offline, from a mail attachment.

Input: the resolved stages of dvc.yaml, and the files that they name as outputs. A file that no current stage makes
never gets in, though it may lie in the same folder. Output: text of an HTML page without any reference to another file:
pictures are data URIs, curves inline SVG. No times, hosts or absolute paths: the same results give the same bytes.
"""

import base64
import platform
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML
from ruamel.yaml.compat import StringIO

from dcgan.files import InputError, read_json
from workflow.comparison import compare, pairs
from workflow.curves import Chart, chart
from workflow.dag import Stage
from workflow.deviations import read_deviations
from workflow.findings import sentence
from workflow.published import TABLES

DEVIATIONS = "docs/deviations.md"
TEMPLATES = Path(__file__).parent / "templates"
PNG_HEADER = struct.Struct(">16x2I")
ANIMATION_CHUNK = b"\x00\x00\x00\x08acTL"
PACKAGES: tuple[str, ...] = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "opencv-python-headless",
    "pandas",
    "h5py",
)
PACKAGES += ("lmdb", "pillow", "safetensors", "matplotlib", "pydantic", "dvc", "snakemake")
# Curves of a stage's CSV: title, column of the horizontal axis, columns that are drawn.
CURVES = {
    "train_dcgan": (
        ("Losses", "epoch", ("d_loss", "g_loss")),
        ("Probability of being real, as the discriminator sees it", "epoch", ("d_real", "d_fake")),
    ),
    "fit_autoencoder": (("Reconstruction error", "epoch", ("loss", "held_out_error")),),
}
# Chapters, and the stages whose results they hold, by what a reader calls them.
SECTIONS = {
    "Data": {
        "fit_autoencoder": "The autoencoder of the binary codes",
        "drop_duplicates": "Duplicates dropped",
        "evaluate_duplicates": "Duplicates found, against the truth",
        "join_faces": "Face crops",
    },
    "Training": {
        "train_dcgan": "Training",
        "evaluate_samples": "Quality of samples",
        "animate_training": "Training as a moving picture",
        "draw_samples": "Samples",
    },
    "Representations": {
        "evaluate_svm": "Linear classifier on the discriminator's features",
        "fit_kmeans": "K-means baseline",
        "select_supervised_cnn": "Supervised baseline",
        "evaluate_neighbours": "Nearest neighbour among generated digits",
    },
    "Looking inside": {
        "draw_walk": "Walk through the latent space",
        "draw_nearest": "Nearest training images",
        "draw_guided": "What features answer to",
        "fit_window_judge": "The judge of windows",
        "draw_windows": "Forgetting windows",
        "fit_face_judge": "The judge of faces",
        "draw_arithmetic": "Vector arithmetic",
        "draw_turn": "Turning heads",
    },
}
# Figures that rest on a judge, and the stage whose sentence says how far it can be trusted.
JUDGED = {"draw_windows": "fit_window_judge", "draw_arithmetic": "fit_face_judge", "draw_turn": "fit_face_judge"}
TITLES = {base: title for chapter in SECTIONS.values() for base, title in chapter.items()}


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, with what is said to someone who does not see it."""

    uri: str
    width: int
    height: int
    name: str
    alt: str
    moves: bool


@dataclass(frozen=True)
class Result:
    """What one stage has to show."""

    anchor: str
    title: str
    caption: str
    sentence: str
    judge: str
    pictures: list[Picture]
    charts: list[Chart]
    figures: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Section:
    """A chapter of the report."""

    anchor: str
    title: str
    results: list[Result]


def render(root: Path, stages: Mapping[str, Stage], title: str) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    params_text = (root / "params.yaml").read_text(encoding="utf-8")
    params = YAML(typ="safe", pure=True).load(params_text)
    return environment.get_template("report.html.j2").render(
        title=title,
        tables=[compare(table, metrics_by_name(root, stages)) for table in TABLES],
        sections=sections(root, stages),
        stages=list(stages.values()),
        parameters=[(name, as_yaml(section)) for name, section in params.items()],
        versions=versions(),
        deviations=read_deviations(root / DEVIATIONS),
        stand_ins=sorted(stand_ins(params)),
    )


def sections(root: Path, stages: Mapping[str, Stage]) -> list[Section]:
    """Everything that stages have to show, in the order of `SECTIONS`, then what belongs to none of them."""
    known = {base: title for title, bases in SECTIONS.items() for base in bases}
    found: dict[str, list[Result]] = {title: [] for title in (*SECTIONS, "Further results")}
    order = {base: number for number, base in enumerate(known)}
    for stage in sorted(stages.values(), key=lambda stage: order.get(base_name(stage), len(order))):
        result = result_of(root, stage, judge_of(root, stage, stages))
        if result.pictures or result.charts or result.figures:
            found[known.get(base_name(stage), "Further results")].append(result)
    return [Section(anchor(title), title, results) for title, results in found.items() if results]


def base_name(stage: Stage) -> str:
    """A stage's name without what `foreach` added."""
    return stage.name.split("@")[0]


def judge_of(root: Path, stage: Stage, stages: Mapping[str, Stage]) -> str:
    """How often the judge that a figure rests on is right; nothing where it rests on none."""
    judge = stages.get(f"{JUDGED.get(base_name(stage))}@{item_name(stage)}")
    rests_on_it = judge is not None and not set(judge.outputs).isdisjoint(stage.dependencies)
    return " ".join(sentences(root, judge)) if judge and rests_on_it else ""


def item_name(stage: Stage) -> str:
    """What `foreach` added to a stage's name."""
    return stage.name.partition("@")[2]


def sentences(root: Path, stage: Stage) -> list[str]:
    """What a stage's metrics say."""
    said = [sentence(stage.name, read_json(root / path)) for path in outputs(root, stage, ".json")]
    return [text for text in said if text]


def result_of(root: Path, stage: Stage, judge: str) -> Result:
    """What one stage has to show."""
    metrics = [read_json(root / path) for path in outputs(root, stage, ".json") if path.startswith("results/metrics/")]
    curves = [path for path in outputs(root, stage, ".csv") if path.startswith("results/curves/")]
    specifications = CURVES.get(base_name(stage), ())
    charts = [chart(root / path, *specification) for path in curves for specification in specifications]
    title = TITLES.get(base_name(stage), stage.description)
    title = f"{title}: {item_name(stage)}" if item_name(stage) else title
    return Result(
        anchor(stage.name),
        title,
        stage.caption,
        ". ".join(sentences(root, stage)),
        judge,
        [picture(root / path, title) for path in outputs(root, stage, ".png")],
        [found for found in charts if found is not None],
        [pair for figures in metrics for pair in pairs(figures)],
    )


def outputs(root: Path, stage: Stage, suffix: str) -> list[str]:
    """Files of a kind that a stage makes, those inside its folders too, of results only and in a fixed order."""
    found = []
    for path in (path for path in stage.outputs if path.startswith("results/")):
        if PurePosixPath(path).suffix == suffix:
            found.append(path)
        elif (root / path).is_dir():
            inside = sorted((root / path).rglob(f"*{suffix}"))
            found += [file.relative_to(root).as_posix() for file in inside]
    return [path for path in found if (root / path).is_file()]


def metrics_by_name(root: Path, stages: Mapping[str, Stage]) -> dict[str, dict[str, Any]]:
    """The content of every metrics file of the DAG by the name of the file."""
    paths = [path for stage in stages.values() for path in outputs(root, stage, ".json")]
    return {PurePosixPath(path).stem: read_json(root / path) for path in paths}


def picture(path: Path, description: str) -> Picture:
    """A PNG, whole, in the text of the page; raises InputError where it is none."""
    try:
        content = path.read_bytes()
        width, height = PNG_HEADER.unpack_from(content)
    except (OSError, struct.error) as error:
        raise InputError(f"{path}: not a readable PNG ({error})") from error
    name = path.stem.replace("_", " ").replace("-", " ")
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return Picture(uri, width, height, name, f"{description}: {name}", ANIMATION_CHUNK in content)


def anchor(text: str) -> str:
    """A text as the name of a place in the page."""
    return "".join(letter.lower() if letter.isalnum() else "-" for letter in text)


def as_yaml(section: Any) -> str:
    """A section of params.yaml as text, without its comments."""
    stream = StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(section, stream)
    return str(stream.getvalue()).rstrip()


def versions() -> list[tuple[str, str]]:
    """Python's and the packages' versions, those that are installed."""
    return [("python", platform.python_version()), *installed(PACKAGES)]


def installed(packages: Iterable[str]) -> list[tuple[str, str]]:
    """Name and version of the packages that there are."""
    found = {distribution.name.lower(): distribution.version for distribution in metadata.distributions()}
    return [(package, found[package]) for package in packages if package in found]


def stand_ins(value: Any) -> set[str]:
    """All paths in the parameters that lie in the demo world: rendered stand-ins for the paper's data."""
    if isinstance(value, Mapping):
        return set().union(*(stand_ins(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(stand_ins(part) for part in value))
    return {value} if isinstance(value, str) and value.startswith("data/demo/") else set()

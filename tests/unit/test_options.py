"""What stage scripts share: sections by name, keys before the library's messages, and who shares the work."""

from typing import NoReturn

import pytest

from dcgan.core.files import InputError
from dcgan.training.adversarial import TrainingSettings
from workflow.engines import launch
from workflow.engines.options import INPUTS, OUTPUTS, figure_parser, naming, section_named, settings_from
from workflow.presets.merge import preset_params


def test_a_section_by_its_name_or_the_names_that_there_are() -> None:
    assert section_named({"bedrooms": 1, "faces": 2}, "faces", "train") == 2
    with pytest.raises(InputError, match=r"^train\.kitchens: no such section; there are bedrooms, faces$"):
        section_named({"bedrooms": 1, "faces": 2}, "kitchens", "train")
    with pytest.raises(InputError, match="there are none"):
        section_named({}, "kitchens", "train")


def test_a_key_stands_before_what_the_library_says() -> None:
    with (
        pytest.raises(InputError, match=r"^quality\.inception: x\.pth: no such file; or set it to null$"),
        naming("quality.inception", advice="set it to null"),
    ):
        raise InputError("x.pth: no such file")
    with pytest.raises(InputError, match=r"^crop_faces\.model: none$"), naming("crop_faces.model"):
        raise InputError("none")
    with pytest.raises(ValueError, match="^other$"), naming("crop_faces.model"):
        raise ValueError("other")


def test_a_figure_s_options_are_those_that_it_names() -> None:
    options = [*INPUTS, *OUTPUTS]
    given = [word for option in ("name", *options) for word in (f"--{option}", option)]
    parsed = figure_parser("A figure.", *options).parse_args(given)
    assert {option: str(getattr(parsed, option)) for option in options} == {option: option for option in options}


class Started(Exception):
    """In the place of becoming torchrun."""


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    asked = []

    def start(module: str, count: int, arguments: list[str] | None) -> NoReturn:
        asked.append((module, count))
        raise Started

    monkeypatch.setattr(launch, "start_processes", start)
    for name in ("WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    return asked


def test_one_process_shares_with_nobody(torchrun: list[tuple[str, int]]) -> None:
    assert launch.share_work("stages.x", 1, None) == (1, 0) and torchrun == []


def test_several_processes_are_started_once(torchrun: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Started):
        launch.share_work("stages.x", 3, None)
    assert torchrun == [("stages.x", 3)]
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert launch.share_work("stages.x", 3, None) == (3, 2) and len(torchrun) == 1


@pytest.mark.parametrize("asked", [1, 2])
def test_another_number_of_processes_is_refused(asked: int, torchrun: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(InputError, match=f"the parameters ask for {asked} processes, torchrun started 3"):
        launch.share_work("stages.x", asked, None)


def test_settings_are_a_sections_values_of_the_same_names() -> None:
    section = preset_params("demo").train["bedrooms"]
    settings = settings_from(section, TrainingSettings, seed=7, capture=False, compile=True)
    assert (settings.seed, settings.compile, settings.beta1) == (7, True, section.beta1)
    assert settings_from(section, TrainingSettings, seed=7, capture=False, compile=True, beta1=0.25).beta1 == 0.25
    with pytest.raises(AttributeError, match="capture"):
        settings_from(section, TrainingSettings, seed=7, compile=True)

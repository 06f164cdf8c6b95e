"""The page of generators in a real browser: it draws what Python draws, and its address keeps what a reader chooses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from dcgan.core.files import InputError
from dcgan.internals.concepts import LEFT, RIGHT, describe
from dcgan.internals.latent_space import arithmetic, interpolate
from dcgan.models.folded import draw_folded, fold
from dcgan.models.networks import Generator
from tests.browser import SCREENS, faint_texts
from tests.dag.demo import DEMO
from tests.stages.explore_page import DONE, NETWORKS, POINTS, make_page, picture_of, pixels, points, trained
from workflow.annotation.exemplars import draw_annotated
from workflow.params.load import load_params


@pytest.mark.parametrize("name", NETWORKS)
def test_the_browser_draws_what_python_draws(show: Callable[..., Any], networks: Path, name: str) -> None:
    """From the same float16 weights and z, to within one grey level."""
    page, generator = show(f"#network={name}&seed=5"), trained(networks, name)
    drawn = pixels(page, f"{POINTS}.map(point => drawPixels(network(), point))", generator.architecture.channels)
    expected = draw_folded(fold(generator), generator, *points(page))
    assert drawn.shape == expected.shape and expected.std() > 20
    difference = np.abs(drawn.astype(int) - expected)
    assert difference.max() <= 1 and (difference == 0).mean() > 0.98
    first = page.evaluate(
        "[...find('grid').querySelector('canvas').getContext('2d')"
        ".getImageData(0, 0, network().size, network().size).data]"
    )
    assert first == page.evaluate("[...drawPixels(network(), samplePoint(sampleId(0)))]"), "what is seen"


def test_every_sample_is_of_the_distribution_that_the_network_learned(show: Callable[..., Any]) -> None:
    for name, deviation in (("faces", 3**-0.5), ("svhn", 1.0)):
        page = show(f"#network={name}")
        latents = "(from) => Array.from({ length: 200 }, (_, n) => [...drawLatent(network(), from, n)])"
        z = np.array(page.evaluate(latents, 1))
        assert abs(z.mean()) < 0.03 and abs(z.std() - deviation) < 0.02
        assert np.abs(z).max() <= 1 or name == "svhn"
        correlations = np.corrcoef(np.concatenate([z, np.array(page.evaluate(latents, 2))])) - np.eye(400)
        assert np.abs(correlations).max() < 0.55
        assert np.array_equal(z, page.evaluate(latents, 1))


def test_points_are_moved_as_the_library_moves_them(show: Callable[..., Any]) -> None:
    page = show("#network=svhn")
    z, _ = points(page)
    for path in ("linear", "spherical"):
        script = f"[...pointBetween(...[0, 1].map(n => samplePoint(sampleId(n))), 0.3, '{path}').z]"
        expected = interpolate(z[0], z[1], torch.tensor([0.3]), path)[0]
        assert torch.allclose(torch.tensor(page.evaluate(script)), expected, atol=1e-5)
    three = "[[0, 1, 2], [3, 4], [5]].map(some => meanPoint(some.map(n => samplePoint(sampleId(n)))))"
    total = torch.tensor(page.evaluate(f"[...combine({three}, [1, -1, 1]).z]"))
    assert torch.allclose(total, arithmetic(z[:3], z[3:5], z[5:6]), atol=1e-5)


def test_sums_by_keyboard(show: Callable[..., Any]) -> None:
    """Three concepts are filled with the keyboard alone; the middle of the panel is the sum of their means."""
    page = show("#network=faces")
    assert page.locator("#sum-hint").is_visible() and page.locator("#panel canvas").count() == 0
    for number, slot in enumerate("abc"):
        page.locator(f"button[data-slot={slot}]").focus()
        page.keyboard.press("Enter")
        for _ in range(2 * number):
            page.keyboard.press("Tab")
        for _ in range(2):
            page.keyboard.press("Space")
            page.keyboard.press("Tab")
    page.wait_for_function(DONE)
    assert page.evaluate("[state.a, state.b, state.c]") == [["1.0", "1.1"], ["1.2", "1.3"], ["1.4", "1.5"]]
    assert not page.locator("#sum-hint").is_visible()
    counts = {name: page.locator(f"#{name} canvas").count() for name in ("panel", "singles", "pixels")}
    assert counts == {"panel": 9, "singles": 2, "pixels": 3}
    means = "['a', 'b', 'c'].map(slot => meanPoint(state[slot].map(samplePoint)))"
    total = page.evaluate(f"[...drawPixels(network(), combine({means}, [1, -1, 1]))]")
    assert picture_of(page, "#panel canvas:nth-child(5)") == total != picture_of(page, "#panel canvas:nth-child(1)")
    pictures = pixels(page, "[0, 1, 2, 3, 4, 5].map(n => samplePixels(sampleId(n)))", 3).astype(float)
    by_hand = pictures[:2].mean(0) - pictures[2:4].mean(0) + pictures[4:].mean(0)
    shown = np.array(picture_of(page, "#pixels canvas:nth-child(1)")).reshape(32, 32, 4)[..., :3]
    assert np.abs(shown - by_hand.clip(0, 255)).max() <= 0.5
    page.locator("#grid .cell").nth(4).press("Enter")  # c is still the slot: it goes out
    assert page.evaluate("state.c") == ["1.5"]


def test_everything_that_is_chosen_can_be_mailed(show: Callable[..., Any]) -> None:
    page = show()
    page.get_by_label("mnist").check()
    page.get_by_label("seed").fill("77")
    page.get_by_label("seed").press("Enter")
    page.get_by_role("button", name="New samples").click()
    for slot, number in (("a", 0), ("left", 1), ("right", 2), ("face", 3), ("from", 4)):
        page.locator(f"input[name=slot][value={slot}]").check()
        page.locator("#grid .cell").nth(number).click()
    page.locator("#class-buttons input[value='7']").check()
    page.get_by_label("along the sphere").check()
    page.locator("#at").fill("0.25")
    page.locator("#turn").fill("-0.5")
    page.locator("#boxes .cell").nth(1).press("Enter")
    page.locator("#drop").fill("3")
    page.get_by_role("button", name="Other random maps").click()
    page.wait_for_function(DONE)
    place = page.evaluate("location.hash")
    parts = ["network=mnist", "seed=78", "class=7", "slot=from", "path=spherical", "at=0.25", "turn=-0.5", "drop=3"]
    parts += ["a=78.0.0", "left=78.1.1", "boxes=78.1:7-7-9-9", "other=1"]
    assert set(parts) <= set(place.removeprefix("#").split("&"))
    again = show(place)
    assert again.evaluate("[location.hash, state]") == page.evaluate("[location.hash, state]")
    every = "[...document.querySelectorAll('canvas')].map(one => one.toDataURL())"
    assert again.evaluate(every) == page.evaluate(every)


DRAG = """async () => {
  const slider = find("at"), write = history.replaceState.bind(history);
  let written = 0;
  history.replaceState = (...all) => { written += 1; write(...all); };
  const started = performance.now();
  for (let step = 0; performance.now() - started < 1500; step++) {
    slider.value = (step % 100) / 100;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(done => setTimeout(done, 5));
  }
  return written * 1000 / (performance.now() - started);
}"""


def test_a_slider_that_is_dragged_writes_the_address_less_often_than_browsers_refuse(show: Callable[..., Any]) -> None:
    page = show()
    assert 0 < page.evaluate(DRAG) < 4
    page.wait_for_function(DONE)


def test_links_within_the_page_keep_the_choice(show: Callable[..., Any]) -> None:
    page = show("#network=svhn&seed=9")
    page.get_by_role("link", name="Turn").click()
    page.wait_for_function("location.hash === '#network=svhn&seed=9'")
    assert page.evaluate("Math.abs(find('turning').getBoundingClientRect().top) < innerHeight")
    page.evaluate("location.hash = '#network=mnist&class=3'")
    page.wait_for_function("state.network === 'mnist'")
    page.wait_for_function(DONE)
    assert page.evaluate("[...find('grid').children].every((_, n) => sampleId(n).endsWith('.3'))")
    assert torch.equal(points(page)[1].argmax(1), torch.full((12,), 3))  # type: ignore[union-attr]


def test_an_address_that_means_nothing_shows_the_page_as_at_first(show: Callable[..., Any]) -> None:
    hostile = (
        "#network=<b>&seed=1e400&a=1.2.3,<i>,1.99999,hand.150&draw=<i>&at=x&turn=9&maps=g"
        "&boxes=1.1:9-9-999-9,z&class=4&slot=__proto__&drop=-4"
    )
    page = show(hostile)
    assert page.evaluate("location.hash") == "#network=faces&turn=1.5&boxes=1.1:0-9-32-9"
    assert page.locator("b:visible, i:visible").count() == 1  # the one box
    assert show("#network=mnist&draw=hand&a=hand.0.0").evaluate("location.hash") == "#network=mnist", "no such samples"


def test_the_page_says_of_which_seed_it_is(show: Callable[..., Any], networks: Path, tmp_path: Path) -> None:
    """As far as the networks' files say it."""
    assert show().get_by_text("Trained with seed 42.").is_visible()
    generator = Generator.from_file(networks / "mnist/generator.safetensors")
    generator.save(tmp_path / "old/mnist/generator.safetensors", {})
    assert "Trained with" not in make_page(tmp_path, tmp_path / "old", networks=["mnist"]).read_text()


def test_boxes_by_pointer(show: Callable[..., Any]) -> None:
    page = show("#network=faces")
    assert page.locator("#drop").is_disabled()
    cell = page.locator("#boxes canvas").first
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    step = box["width"] / 32
    page.mouse.move(box["x"] + 4.2 * step, box["y"] + 8.2 * step)
    page.mouse.down()
    page.mouse.move(box["x"] + 20.2 * step, box["y"] + 14.2 * step)
    page.mouse.up()
    page.mouse.move(box["x"], box["y"])
    assert page.evaluate("state.boxes") == {"1.0": [4, 8, 16, 6]}
    assert not page.locator("#drop").is_disabled()
    page.locator("#boxes .cell").first.press("Shift+ArrowLeft")
    page.locator("#boxes .cell").first.press("ArrowDown")
    assert page.evaluate("state.boxes") == {"1.0": [4, 9, 15, 6]}
    page.get_by_role("button", name="Take all boxes away").click()
    assert page.evaluate("state.boxes") == {}


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_fits_the_screen_and_can_be_read(show: Callable[..., Any], width: int, scheme: str) -> None:
    chosen = "a=1.0,1.1,1.2&b=1.3,1.4,1.5&c=1.6,1.7,1.8&left=1.0,1.1&right=1.2&turn=0.5&boxes=1.0:4-4-9-9&maps=1b"
    page = show(f"#network=faces&{chosen}", width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert faint_texts(page) == []
    picture = cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape[1] == width and picture.std() > 5
    assert (float(np.median(picture)) > 128) == (scheme == "light")
    unnamed = "[...document.querySelectorAll('button, input, canvas:not(button canvas)')].filter(one =>"
    unnamed += "!(one.ariaLabel || one.labels?.length || one.textContent.trim())).length"
    assert page.evaluate(unnamed) == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"


def test_what_is_chosen_can_be_saved_though_a_classifier_annotates(
    show: Callable[..., Any], networks: Path, tmp_path: Path
) -> None:
    """As the file that `make annotate` writes: a figure takes it, and finds the samples that the page has shown."""
    page = show("#network=faces&draw=hand&a=hand.1,hand.4&b=hand.2&c=hand.149&left=hand.5&right=hand.6,hand.7")
    page.get_by_role("button", name="faces", exact=True).click()
    assert (
        "in params.yaml, name that file as the annotator, in place of the classifier"
        in page.locator("#about").inner_text()
    )
    page.locator("#keep-a button").first.click()
    page.locator("#keep-a").get_by_text("Saved").wait_for()
    page.locator("#keep-left button").click()
    page.locator("#keep-left").get_by_text("Saved").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download faces.json").click()
    download.value.save_as(tmp_path / "faces.json")
    params, file = load_params(DEMO), networks / "faces/generator.safetensors"
    generator, section = Generator.from_file(file), params.figures.arithmetic["faces"]
    candidates, found = draw_annotated(generator, file, tmp_path / "faces.json", section, params.run.seed)
    first = section.sums[0]
    named = [describe(term) for term in (first.plus, first.minus, first.other)] + [LEFT, RIGHT]
    assert found is not None and found.boxes == []
    assert found.concepts == dict(zip(named, ([1, 4], [2], [149], [5], [6, 7]), strict=True))
    drawn = pixels(page, "['hand.1', 'hand.149'].map(samplePixels)", 3)
    assert len(candidates.images) == 150 and np.abs(drawn.astype(int) - candidates.images[[1, 149]]).max() <= 2


def test_a_generator_that_is_too_large_is_left_out(networks: Path, tmp_path: Path) -> None:
    page = make_page(tmp_path, networks, networks=["svhn", "imagenet"], max_megabytes=0.13).read_text()
    assert (
        "svhn is left out: its generator has 0.1 MB, above explore.max_megabytes." in page
        and 'id="weights-imagenet"' in page
    )
    assert 'id="weights-svhn"' not in page
    with pytest.raises(
        InputError, match="no generator can be shown .faces: its generator has 0.3 MB, above explore.max_megabytes"
    ):
        make_page(tmp_path, networks, networks=["faces"], max_megabytes=0.1)


def test_the_page_is_the_same_bytes_again(networks: Path, tmp_path: Path) -> None:
    first = make_page(tmp_path, networks, networks=["mnist"]).read_bytes()
    assert make_page(tmp_path, networks, networks=["mnist"]).read_bytes() == first

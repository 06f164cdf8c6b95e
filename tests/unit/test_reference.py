"""The reference run: renewed from a checkout's results, and shown beside a run of the same parameters."""

from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from dcgan.core.files import InputError, read_json
from tests.unit.conftest import leave_sidecar
from workflow.claims.seeds import digest_without_run
from workflow.engines.dag import Stage
from workflow.presets.merge import preset, preset_text
from workflow.report import reference
from workflow.report.collect import render
from workflow.report.reference import METRICS, SEEDS, STAGES, expected, main

HEAD = "id,verdict,paper,claim,any_of,comparison,comparison_verdict,published,better,margin,unit,ours,other"
NOW = digest_without_run(preset("demo"))
CLAIMS = f"""{HEAD},difference,low,high,seed,parameters
a,holds,Table 1,A,False,all labels,holds,,higher,0,share,0.95,0.84,0.11,0.08,0.14,1,{NOW}
a,holds,Table 1,A,False,per image,holds,,lower,0,number,2.5,4.2,-1.7,-2,-1,1,{NOW}
a,fails,Table 1,A,False,all labels,fails,,higher,0,share,0.8,0.84,-0.04,-0.06,-0.02,2,{NOW}
a,fails,Table 1,A,False,per image,holds,,lower,0,number,2.25,4.2,-1.7,-2,-1,2,{NOW}
b,not run,Table 2,B,False,accuracy,not run,,higher,0,share,,,,,,1,{NOW}
b,not run,Table 2,B,False,accuracy,not run,,higher,0,share,,,,,,2,{NOW}
"""
STAGE = Stage("s@x", "", "make it", [], [], [], ["results/metrics/m.json", "data/x"], {}, 1, 0, 1, 1, False)
RECORD = {
    "stage": "s@x",
    "seconds": 2.5,
    "peak_memory_mb": 300,
    "git_revision": "0123456789abcdef",
    "git_dirty": False,
    "machine": {"processor": "P", "cores": 2},
}


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout after a run whose only stage made one file of metrics and a folder of three bytes."""
    monkeypatch.setattr(reference, "resolved_stages", lambda root: {"s@x": STAGE})
    monkeypatch.chdir(tmp_path)
    for folder in ("results/metrics", "results/reference", "data/x"):
        Path(folder).mkdir(parents=True)
    Path("params.yaml").write_text(preset_text("demo"))
    Path("results/metrics/m.json").write_text('{"n": 1}')
    Path("data/x/three").write_text("abc")
    leave_sidecar(tmp_path, STAGE, **RECORD)
    return tmp_path


def test_it_is_renewed_from_the_results_in_the_checkout(ran: Path) -> None:
    main([])
    assert read_json(METRICS) == {"m": {"n": 1}} and not SEEDS.exists()
    assert pd.read_csv(STAGES).to_dict("records") == [
        {
            "stage": "s@x",
            "seconds": 2.5,
            "peak_memory_mb": 300,
            "output_bytes": 8 + 3,
            "machine": "P, 2 cores, no accelerator",
            "revision": "0123456789ab",
        }
    ]
    (ran / "results/replicates.csv").write_text(CLAIMS)
    main([])
    assert SEEDS.read_text() == CLAIMS


def test_seconds_of_a_busy_machine_can_be_left_out(ran: Path) -> None:
    main([])
    leave_sidecar(
        ran, STAGE, **RECORD | {"seconds": 99.0, "peak_memory_mb": 5, "machine": {"processor": "Q", "cores": 8}}
    )
    main(["--keep-seconds"])
    (row,) = pd.read_csv(STAGES).to_dict("records")
    assert (row["seconds"], row["machine"]) == (2.5, "P, 2 cores, no accelerator"), "the machine that took so long"
    assert row["peak_memory_mb"] == 5


@pytest.mark.parametrize("missing", ["results/provenance/s@x.json", "results/metrics/m.json"])
def test_what_was_not_run_is_no_reference(ran: Path, missing: str) -> None:
    (ran / missing).unlink()
    with pytest.raises(InputError, match="s@x: no run of it in this checkout"):
        main([])


def test_other_parameters_are_no_reference_and_have_none(ran: Path) -> None:
    SEEDS.write_text(CLAIMS)
    assert expected(ran) == {
        "a": ["holds in 1 of 2 seeds", "all labels: 80.0 % to 95.0 %", "per image: 2.25 to 2.5"],
    }
    params = preset("demo")
    SEEDS.write_text(CLAIMS.replace(NOW, "0123456789ab"))
    assert expected(ran)["a"][0] == "holds in 1 of 2 seeds, with other parameters than now"
    params["run"] |= {"seed": 7, "threads": 1, "device": "cpu"}
    YAML(typ="safe").dump(params, ran / "params.yaml")
    assert expected(ran).keys() == {"a"}, "another seed is one draw more, and the machine decides nothing"
    with pytest.raises(InputError, match="of the preset demo"):
        main([])
    params["train"]["bedrooms"]["epochs"] = 1
    YAML(typ="safe").dump(params, ran / "params.yaml")
    assert expected(ran) == {}
    SEEDS.unlink()
    assert expected(ran) == {}


def test_the_report_shows_it_beside_each_claim(results: Path, stages: dict[str, Stage]) -> None:
    page = render(
        results, stages, "Title", expected={"heads_turn": ["holds in 4 of 5 seeds", "turns: 60.0 % to 70.0 %"]}
    )
    assert "to expect: reference runs" in page and "<td>holds in 4 of 5 seeds<br>turns: 60.0 % to 70.0 %</td>" in page
    assert "reference runs" not in render(results, stages, "Title")

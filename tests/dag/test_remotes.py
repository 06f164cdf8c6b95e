"""A DVC remote carries a whole run to somebody else: push, fresh clone, pull, and the report again without training."""

import json
import subprocess
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.dag.conftest import commit_everything
from tests.dag.tiny import digests

pytestmark = pytest.mark.slow
Run = Callable[..., Any]
REPORT = Path("data/report.html")


class Shelf(SimpleHTTPRequestHandler):
    """A web server that also takes files: what an HTTP remote needs."""

    def do_PUT(self) -> None:
        """Keeps what is sent under its path."""
        path = Path(self.translate_path(self.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.body())
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def body(self) -> bytes:
        """What is sent, which DVC does in chunks of unknown number: each its length in hexadecimal, then its bytes."""
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a test's output is for what fails."""


@pytest.fixture
def web_address(tmp_path: Path) -> Iterator[str]:
    """The address of an empty shelf on loopback."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *arguments: Shelf(*arguments, directory=str(shelf)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/store"
    server.shutdown()
    thread.join()
    server.server_close()


def test_clones_pull_a_run_from_a_folder_or_the_web_and_rebuild_the_report_without_training(
    under_dvc: Path, tmp_path: Path, run: Run, web_address: str
) -> None:
    """By DVC's commands as docs/clusters.md has them."""
    commit_everything(under_dvc)
    expected = digests(under_dvc)
    method = ("remote", "modify", "--local", "store", "method", "PUT")
    for name, address, further in (("folder", str(tmp_path / "store"), []), ("http", web_address, [method])):
        clone = tmp_path / name
        subprocess.run(["git", "clone", "-q", str(under_dvc), str(clone)], check=True)
        # Work by hand is in git; everything that stages made has to come from the remote.
        assert sorted(path.name for path in (clone / "data").iterdir()) == ["annotations", "outcomes", "window_maps"]
        try:
            for folder, action in ((under_dvc, "push"), (clone, "pull")):
                for command in (("remote", "add", "--local", "--default", "store", address), *further):
                    run(folder, "dvc", *command)
                run(folder, "dvc", action, "--quiet")
        finally:
            (under_dvc / ".dvc/config.local").unlink()
        assert digests(clone) == expected

    (clone / REPORT).unlink()
    said = run(clone, "dvc", "repro", "--force", "--no-run-cache", "--single-item", "build_report").stdout
    assert [line for line in said.splitlines() if line.startswith("Running stage")] == ["Running stage 'build_report':"]
    assert digests(clone) == expected
    assert json.loads(run(clone, "dvc", "status", "--json").stdout) == {}

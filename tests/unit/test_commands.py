"""Other programs that the workflow asks: what they print, how they fail, what they leave running."""

import os
import signal
import sys

import pytest

from dcgan.core.files import InputError
from workflow.engines.commands import output_of


def test_a_child_that_works_on_is_not_waited_for() -> None:
    child = int(output_of("sh", "-c", "sleep 600 & echo $!"))
    os.kill(child, signal.SIGKILL)  # raises ProcessLookupError if it was waited for: it would have ended


def test_a_failure_names_the_command_and_its_last_line() -> None:
    with pytest.raises(InputError, match=r"-c.*` failed: and a second line"):
        output_of(sys.executable, "-c", "import sys; sys.exit('one line\\nand a second line')")
    with pytest.raises(InputError, match="no-such-program cannot be started"):
        output_of("no-such-program")

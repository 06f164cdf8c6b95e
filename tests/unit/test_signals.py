"""One signal asks for a stop; what schedulers and launchers add to it does no harm, an impatient person does."""

import signal

import pytest

from dcgan.core import signals as stopping
from dcgan.core.signals import STOP_SIGNALS, StopSignals


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_asks_for_a_stop_however_often_it_is_passed_on(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals() as stop_requested:
        assert not stop_requested()
        signal.raise_signal(number)
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        assert stop_requested() and stop_requested.received == number
    assert signal.getsignal(number) is before


def test_a_later_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "SAME_REQUEST_SECONDS", -1.0)
    with pytest.raises(KeyboardInterrupt), StopSignals():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

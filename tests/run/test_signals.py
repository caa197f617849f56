import os
import signal
import subprocess
import sys
import threading

import pytest

from kt2t.run.signals import Interrupted, ending, handled_by


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_goes_to_the_handler_and_later_where_it_went_before(number):
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    seen = []
    with pytest.raises(KeyError), handled_by(lambda one, frame: seen.append(one)):
        os.kill(os.getpid(), number)
        raise KeyError
    assert seen == [number]
    assert {one: signal.getsignal(one) for one in before} == before


def test_another_thread_changes_nothing():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def run():
        with handled_by(lambda number, frame: None):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before] and signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_exception_on_the_way_out_and_later_what_it_was_before(number):
    before = {one: signal.signal(one, signal.default_int_handler) for one in (signal.SIGINT, signal.SIGTERM)}
    tidied = []
    try:
        with pytest.raises(SystemExit) as end, ending():
            try:
                os.kill(os.getpid(), number)
                raise KeyError
            except Exception:
                tidied.append("as an error")
            finally:
                tidied.append("at last")
        assert isinstance(end.value, Interrupted) and end.value.code == 128 + number
        assert tidied == ["at last"] and signal.getsignal(number) is signal.default_int_handler
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


PROGRAM = """
import os, signal, sys, time
from kt2t.run import signals
from kt2t.run.signals import Interrupted, ending
signals.REPEATED_WITHIN = float(sys.argv[1])

def send(*pauses):
    for pause in pauses:
        time.sleep(pause)
        os.kill(os.getpid(), signal.SIGTERM)

status = 0
try:
    with ending(for_good=True):
        try:
            send(0)
        finally:
            send(*map(float, sys.argv[2].split(",")))  # while things are tidied up
            print("tidied")
except Interrupted as end:
    status = end.code
send(0)  # before the process has ended
print("last words", flush=True)
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("within", "pauses", "said", "told"),
    [
        ("60", "0,0.02,0", ["tidied", "last words"], []),
        ("0.05", "0.2", ["tidied"], ["saving already; one more signal", "ended at once by SIGTERM"]),
        ("0.05", "0.2,0", [], ["saving already; one more signal", "ended at once by SIGTERM"]),
    ],
)
def test_the_first_signal_is_obeyed_whatever_follows_and_later_a_third_one_ends_at_once(within, pauses, said, told):
    ended = subprocess.run([sys.executable, "-c", PROGRAM, within, pauses], capture_output=True, text=True)
    assert ended.returncode == 143
    assert ended.stdout.split("\n")[:-1] == said
    assert len(ended.stderr.splitlines()) == len(told)
    assert all(one in line for one, line in zip(told, ended.stderr.splitlines(), strict=True))


def test_an_error_in_the_place_of_the_exception_hides_no_signal():
    with pytest.raises(Interrupted) as end, ending():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit:
            raise RuntimeError("pybind11::error_already_set") from None
    assert end.value.code == 143
    with pytest.raises(RuntimeError), ending():
        raise RuntimeError


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ending():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

import os
import signal
import threading

import pytest

from kt2t.run.signals import handled_by


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

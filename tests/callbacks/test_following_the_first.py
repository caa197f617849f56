from __future__ import annotations

from types import SimpleNamespace

import pytest

from kt2t.callbacks import FollowingTheFirst


class Team:
    """Whose first worker says the given word, whatever this one says."""

    def __init__(self, word):
        self.word, self.heard = word, []

    def broadcast(self, word):
        self.heard.append(word)
        return self.word


@pytest.mark.parametrize(("own", "first", "wanted"), [(False, True, True), (False, False, False), (True, True, True)])
def test_training_ends_where_the_first_worker_ends_it(own, first, wanted):
    team = Team(first)
    callback = FollowingTheFirst(team)
    model = SimpleNamespace(stop_training=own)
    callback.set_model(model)
    callback.on_epoch_end(0)
    assert model.stop_training is wanted and team.heard == [own]

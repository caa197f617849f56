"""What views have in common: files of their own, and being proposed by a problem."""

from __future__ import annotations

from types import SimpleNamespace

from kt2t.callbacks import AttentionMaps, DecodedText, View
from kt2t.callbacks.views.view import proposed, rendered
from kt2t.registry import register


class Both(View):
    def render(self, model):
        return {"words": f"**{model.name}**", "some/dot": b"png"}


@register
class Counts(View):
    """A view of one's own, with an option."""

    def __init__(self, problem, most=3):
        super().__init__()
        self.problem, self.most = problem, most


def test_a_view_writes_files_at_each_epoch_end(tmp_path):
    view = Both(tmp_path)
    view.set_model(SimpleNamespace(name="m", optimizer=SimpleNamespace(iterations=30)))
    view.on_epoch_end(0)
    assert (tmp_path / "step-30" / "words.md").read_text() == "**m**"
    assert (tmp_path / "step-30" / "some-dot.png").read_bytes() == b"png"
    silent = Both()
    silent.set_model(view.model)
    silent.on_epoch_end(0)


def test_a_problem_s_proposals_are_built_with_what_they_take():
    own = Both()
    nodes = [{"type": "DecodedText"}, {"type": "Counts", "most": 7}, own, {"type": "AttentionMaps"}]
    problem = SimpleNamespace(views=lambda: nodes)
    text, counts, same, maps = proposed(problem, search="beam", samples=2)
    assert isinstance(text, DecodedText) and (text.search, text.samples) == ("beam", 2)
    assert isinstance(counts, Counts) and counts.problem is problem and counts.most == 7
    assert same is own and isinstance(maps, AttentionMaps)
    assert [type(view) for view in proposed(problem, samples=0, attention_maps=False)] == [Counts, Both]
    assert rendered([own], SimpleNamespace(name="x")) == {"words": "**x**", "some/dot": b"png"}

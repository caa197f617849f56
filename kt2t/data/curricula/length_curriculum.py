"""A curriculum by length: early epochs of training have short examples only."""

from __future__ import annotations

from kt2t.options import positive
from kt2t.registry import register


@register
class LengthCurriculum:
    """Lets the longest inputs of training grow with the epoch, in equal steps, up to all that there are.

        longest(e) = start + ⌊(max_length - start) · e / epochs⌋,  no limit from epoch `epochs` on

    It depends on the epoch alone, so a run that continues has the batches that it would have had. While it grows, an epoch
    has as many batches as ever, of shorter examples, which then come several times.

    Args:
        start: Length of the longest inputs in epoch 0, in symbols.
        epochs: Number of epochs until all lengths take part.

    Raises:
        ValueError: A number is not positive.

    Source: Zaremba and Sutskever 2014, section 4, the naive curriculum; Kaiser and Sutskever 2016, section 3.
    """

    def __init__(self, start: int, epochs: int) -> None:
        self.start = positive("start", start)
        self.epochs = positive("epochs", epochs)

    def longest(self, epoch: int, max_length: int) -> int | None:
        """Returns the length of the longest inputs in an epoch, in symbols; None where nothing is left out.

        Args:
            epoch: Number of the pass through the data, from 0.
            max_length: Length of the longest inputs that there are.
        """
        if epoch >= self.epochs:
            return None
        return self.start + (max_length - self.start) * epoch // self.epochs

"""Pure functions of tensors: masks, positions, segments, heads, randomness, attribute paths."""

__all__ = ["beams", "distances", "heads", "masks", "paths", "positions", "randomness", "segments", "shifts"]

"""Pure functions of tensors: masks, positions, segments, heads, randomness, attribute paths."""

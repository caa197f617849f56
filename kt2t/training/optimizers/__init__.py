"""Optimizers that Keras does not have, or only in a slower form; their public names are in `kt2t.training`."""

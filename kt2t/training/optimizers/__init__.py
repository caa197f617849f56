"""Optimizers that Keras lacks, or has in a slower form; their public names are in `kt2t.training`."""

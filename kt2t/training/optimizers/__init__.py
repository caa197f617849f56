"""Optimizers that Keras has not, or has slower; `kt2t.training` gives their names."""

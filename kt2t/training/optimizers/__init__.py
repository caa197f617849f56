"""Optimizers that Keras does not have, or only in a slower form. Import them from `kt2t.training`."""

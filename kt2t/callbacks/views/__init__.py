"""Views that TensorBoard shows of a model, one per file; the public names are in `kt2t.callbacks`."""

"""What TensorBoard shows of a model, one view per file; the public names stand in `kt2t.callbacks`."""

"""Views of a model, which TensorBoard shows, one per file; their public names are in `kt2t.callbacks`."""

"""Translation problems. `kt2t.data` exports their public names."""

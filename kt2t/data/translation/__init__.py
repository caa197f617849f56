"""Translation; the public names stand in `kt2t.data`."""

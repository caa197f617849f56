"""Curricula: which examples early epochs have. `kt2t.data` exports their public names."""

"""Problems of natural language. `kt2t.data` exports their public names."""

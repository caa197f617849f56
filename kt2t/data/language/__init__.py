"""Problems of natural language; the public names stand in `kt2t.data`."""

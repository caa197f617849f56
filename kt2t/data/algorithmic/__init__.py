"""Problems whose examples are computed; the public names stand in `kt2t.data`."""

"""Problems that compute their examples. `kt2t.data` exports their public names."""

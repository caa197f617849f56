"""Problems about pictures."""

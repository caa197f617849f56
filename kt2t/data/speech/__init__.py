"""Problems about recorded speech."""

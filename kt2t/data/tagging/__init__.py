"""Problems that give each word a tag."""

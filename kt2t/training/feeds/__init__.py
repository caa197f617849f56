"""What a model reads in training in place of the data: a file for each kind of change."""

"""Turns recipes into runs: builds the model, trains, evaluates, predicts, and estimates costs."""

"""Training with several processes: they find each other, agree on facts, and notice when one has ended."""

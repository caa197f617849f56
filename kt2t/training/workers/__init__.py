"""Training with several processes (workers): they find each other, compare facts, and notice when one has ended."""

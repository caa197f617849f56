"""Training with several processes: how they find each other, agree, and notice that one is gone."""

"""From a recipe to a run: assemble, train, evaluate, predict, estimate."""

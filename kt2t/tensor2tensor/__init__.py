"""What Tensor2Tensor wrote: the names of its variables, its hparams, its problems and its checkpoints, in our terms."""

"""Translates Tensor2Tensor's variables, hparams, problems and checkpoints into our terms."""

"""Converts Tensor2Tensor's variables, hparams, problems and checkpoints to kt2t's."""

"""One layer a file; `embed` and `head` join them to features."""

from kt2t.registry import exports

TABLE = {
    "Attention": "attention",
    "BatchNorm": "batch_norm",
    "Cache": "cache",
    "Dropout": "dropout",
    "FeedForward": "feed_forward",
    "L2Norm": "l2_norm",
    "LabelEmbedding": "feature_layers",
    "LabelHead": "feature_layers",
    "LayerNorm": "layer_norm",
    "LearnedPositions": "learned_positions",
    "NoPositions": "no_positions",
    "NoamNorm": "noam_norm",
    "RelativeAttention": "relative_attention",
    "Residual": "residual",
    "SinusoidalPositions": "sinusoidal_positions",
    "TagsHead": "feature_layers",
    "Tap": "tap",
    "TextHead": "feature_layers",
    "TokenEmbedding": "token_embedding",
    "TransformerBlock": "transformer_block",
    "TransformerStack": "transformer_stack",
    "capture": "tap",
    "embed": "feature_layers",
    "head": "feature_layers",
    "stack_of": "transformer_stack",
}

__getattr__, __dir__ = exports(__name__, TABLE)

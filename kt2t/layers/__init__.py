"""One layer per file. `embed` and `head` choose the layers that read and predict a feature."""

from kt2t.registry import exports

TABLE = {
    "Attention": "attention",
    "Cache": "cache",
    "Convolutions": "convolutions",
    "DenseStack": "dense_stack",
    "Dropout": "dropout",
    "FeedForward": "feed_forward",
    "L2Norm": "l2_norm",
    "LabelEmbedding": "label_embedding",
    "LabelHead": "label_head",
    "LayerNorm": "layer_norm",
    "LearnedPositions": "learned_positions",
    "Memory": "memory",
    "NoPositions": "no_positions",
    "NoamNorm": "noam_norm",
    "RelativeAttention": "relative_attention",
    "Residual": "residual",
    "Sequence": "sequence",
    "SinusoidalPositions": "sinusoidal_positions",
    "TagsHead": "tags_head",
    "Tap": "tap",
    "TextHead": "text_head",
    "TokenEmbedding": "token_embedding",
    "TransformerBlock": "transformer_block",
    "TransformerStack": "transformer_stack",
    "capture": "tap",
    "embed": "feature_layers",
    "head": "feature_layers",
    "pooled": "pooling",
    "stack_of": "transformer_stack",
}

__getattr__, __dir__ = exports(__name__, TABLE)

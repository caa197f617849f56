"""What happens beside training: progress, checkpoints, scores, TensorBoard."""

from kt2t.registry import exports

TABLE = {
    "AttentionMaps": "attention_maps",
    "BadBatches": "bad_batches",
    "Checkpointing": "checkpointing",
    "ComparingReplicas": "comparing_replicas",
    "DecodedText": "decoded_text",
    "EarlyStopping": "early_stopping",
    "EvaluatingAverages": "evaluating_averages",
    "Explosions": "explosions",
    "FollowingTheFirst": "following_the_first",
    "Progress": "progress",
    "Scoring": "scoring",
    "TensorBoard": "tensorboard",
}
__getattr__, __dir__ = exports(__name__, TABLE)

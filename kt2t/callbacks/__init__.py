"""Callbacks for training: progress, checkpoints, scores, TensorBoard, and the views (texts and pictures) it shows."""

from kt2t.registry import exports

TABLE = {
    "AttentionMaps": "views.attention",
    "BadBatches": "bad_batches",
    "Checkpointing": "checkpointing",
    "ComparingReplicas": "comparing_replicas",
    "Confusion": "views.confusion",
    "DecodedText": "views.text",
    "EarlyStopping": "early_stopping",
    "EvaluatingAverages": "evaluating_averages",
    "Explosions": "explosions",
    "FollowingTheFirst": "following_the_first",
    "Pictures": "views.images",
    "Progress": "progress",
    "Scoring": "scoring",
    "TensorBoard": "tensorboard",
    "View": "views.view",
}
__getattr__, __dir__ = exports(__name__, TABLE)

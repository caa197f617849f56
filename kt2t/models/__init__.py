"""One architecture a file."""

from kt2t.registry import exports

TABLE = {
    "ByteNet": "byte_net",
    "ConvolutionalReader": "convolutional_reader",
    "DenseReader": "dense_reader",
    "DiagonalNeuralGPU": "diagonal_neural_gpu",
    "DilatedLM": "dilated_lm",
    "EncoderDecoder": "encoder_decoder",
    "EvolvedTransformer": "evolved_transformer",
    "FeedForwardReader": "feed_forward_reader",
    "LSTMExperts": "lstm_experts",
    "LSTMLM": "lstm_lm",
    "LSTMReader": "lstm_reader",
    "LSTMSeq2Seq": "lstm_seq2seq",
    "LanguageModel": "language_model",
    "Model": "model",
    "NeuralGPU": "neural_gpu",
    "ParallelWriter": "parallel_writer",
    "Reader": "reader",
    "SliceNet": "slice_net",
    "TextCNN": "text_cnn",
    "Transformer": "transformer",
    "TransformerEncoder": "transformer_encoder",
    "TransformerLM": "transformer_lm",
    "UniversalTransformer": "universal_transformer",
}

__getattr__, __dir__ = exports(__name__, TABLE)

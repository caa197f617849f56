"""Problems: from raw examples to batches."""

from kt2t.registry import exports

TABLE = {
    "Problem": "problem",
    "TextToText": "text_to_text",
    "ParallelText": "translation.parallel_text",
    "Multi30k": "translation.multi30k",
    "Bytes": "vocabularies.bytes",
    "Characters": "vocabularies.characters",
    "Classes": "vocabularies.classes",
    "ClosedWords": "vocabularies.closed_words",
    "SubwordTextEncoder": "vocabularies.subword_text_encoder",
    "ShapedWords": "vocabularies.shaped_words",
    "Subwords": "vocabularies.subwords",
    "Symbols": "vocabularies.symbols",
    "Words": "vocabularies.words",
    "Addition": "algorithmic.addition",
    "ConlluTags": "tagging.conllu_tags",
    "ConlluTagsAndLabel": "tagging.conllu_tags_and_label",
    "HalfCopyHalfRepeatEven": "algorithmic.half_copy_half_repeat_even",
    "Identity": "algorithmic.identity",
    "Multiplication": "algorithmic.multiplication",
    "RepeatEven": "algorithmic.repeat_even",
    "Reverse": "algorithmic.reverse",
    "ReverseZipf": "algorithmic.reverse_zipf",
    "Shift": "algorithmic.shift",
    "Sort": "algorithmic.sort",
    "ImageFolder": "image.image_folder",
    "LengthCurriculum": "curricula.length_curriculum",
    "MNIST": "image.mnist",
    "NumbersInWords": "language.numbers_in_words",
    "PennTreebank": "language.word_files",
    "RunningText": "language.running_text",
    "SpokenDigits": "speech.spoken_digits",
    "TextFiles": "language.text_files",
    "WikiText": "language.word_files",
}
# Classes to make problems of, which give no examples themselves.
BASES = ("Problem", "TextToText", "RunningText")
__getattr__, __dir__ = exports(__name__, TABLE)

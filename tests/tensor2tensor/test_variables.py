import numpy as np
import pytest

from kt2t.features import Label, Text
from kt2t.models.transformer import Transformer
from kt2t.ops.paths import attribute_paths
from kt2t.tensor2tensor.variables import gathered, name_of, path_of

NAMES = [
    (
        "transformer/body/encoder/layer_0/self_attention/multihead_attention/q/kernel",
        "encoder.layers.0.attention.sublayer.query.kernel",
    ),
    (
        "transformer/body/encoder/layer_1/self_attention/multihead_attention/dot_product_attention_relative/"
        "relative_positions_keys/embeddings",
        "encoder.layers.1.attention.sublayer.key_distances",
    ),
    (
        "transformer/body/decoder/layer_1/self_attention/multihead_attention/dot_product_self_attention_relative_v2/"
        "key_relative_embeddings",
        "decoder.layers.1.attention.sublayer.key_distances",
    ),
    (
        "attention_lm/body/decoder/layer_0/ffn/conv_hidden_relu/conv2_single/kernel",
        "decoder.layers.0.feed_forward.sublayer.narrow.kernel",
    ),
    (
        "transformer/body/decoder/layer_11/encdec_attention/multihead_attention/output_transform/kernel",
        "decoder.layers.11.cross_attention.sublayer.output_projection.kernel",
    ),
    (
        "transformer/parallel_0_5/transformer/body/decoder/layer_1/ffn/conv2/bias",
        "decoder.layers.1.feed_forward.sublayer.narrow.bias",
    ),
    (
        "transformer/body/encoder/layer_0/ffn/layer_prepostprocess/layer_norm/layer_norm_scale",
        "encoder.layers.0.feed_forward.norm.scale",
    ),
    (
        "transformer/body/encoder/layer_0/ffn/layer_postprocess/layer_norm/layer_norm_bias",
        "encoder.layers.0.feed_forward.norm.shift",
    ),
    ("transformer/body/decoder/layer_prepostprocess/layer_norm/layer_norm_bias", "decoder.norm.shift"),
    (
        "transformer/body/decoder/layer_0/ffn/layer_preprocess/l2_norm/l2_norm_scale",
        "decoder.layers.0.feed_forward.norm.scale",
    ),
    (
        "transformer/body/decoder/layer_0/ffn/conv_relu_conv/conv1_2/kernel",
        "decoder.layers.0.feed_forward.sublayer.first.kernel",
    ),
    (
        "transformer/body/decoder/layer_0/ffn/conv_hidden_relu/conv2_single/depthwise_kernel",
        "decoder.layers.0.feed_forward.sublayer.second_depthwise",
    ),
    (
        "transformer/body/encoder/layer_0/ffn/parameter_attention/v",
        "encoder.layers.0.feed_forward.sublayer.values",
    ),
    ("transformer/body/target_space_embedding/kernel", "target_space_embedding.table"),
    ("transformer/body/targets_positional_embedding", "decoder.positions.table"),
    ("transformer/symbol_modality_8190_16/shared/weights_12", "targets_embedding.table"),
    ("transformer/symbol_modality_31_16/input_emb/weights_0", "inputs_embedding.table"),
    ("transformer/symbol_modality_31_16/softmax/weights_0", "head.table"),
    ("transformer_encoder/class_label_modality_3_16/class_label_modality_3_16/dense/bias", "head.dense.bias"),
]


@pytest.mark.parametrize(("name", "path"), NAMES)
def test_path_of(name, path):
    assert path_of(name) == path


@pytest.mark.parametrize(
    "name",
    [
        "transformer/body/encoder/layer_0/self_attention/multihead_attention/q/bias",
        "transformer/body/encoder/layer_0/slice/conv1/kernel",
        "transformer/body/decoder/revblock/revlayer_0/f/conv1/kernel",
        "global_step",
    ],
)
def test_other_names_have_no_path(name):
    with pytest.raises(KeyError, match=name):
        path_of(name)


def test_shards_are_joined_in_the_order_of_their_numbers():
    shards = {f"t/symbol_modality_12_1/shared/weights_{n}": np.full((1, 1), n) for n in (10, 2, 0, 11, 1)}
    np.testing.assert_array_equal(gathered(shards)["targets_embedding.table"][:, 0], [0, 1, 2, 10, 11])


def test_a_table_of_each_side_that_is_tied_to_nothing_else_is_told_by_its_rows():
    tables = {f"t/symbol_modality_{rows}_1/shared/weights_0": np.zeros((rows, 1)) for rows in (5, 7)}
    found = gathered(tables, source_size=7)
    assert {path: len(value) for path, value in found.items()} == {
        "inputs_embedding.table": 7,
        "targets_embedding.table": 5,
    }


def test_a_convolution_of_width_1_is_a_matrix():
    name = "attention_lm/body/decoder/layer_0/ffn/conv_hidden_relu/conv1_single/kernel"
    found = gathered({name: np.arange(6.0).reshape(1, 1, 2, 3)})
    np.testing.assert_array_equal(found[path_of(name)], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("tie", ["all", "none"])
def test_every_weight_of_a_transformer_has_a_name_that_leads_back(tie):
    features = {"inputs": Text(8), "targets": Text(8), "target_space": Label(32)}
    model = Transformer(features, num_layers=2, hidden_dim=4, intermediate_dim=6, num_heads=2, tie=tie)
    model.build()
    for path in attribute_paths(model):
        name = f"transformer/body/{name_of(path)}"
        if path.endswith(("_embedding.table", "head.table")) and "target_space" not in path:
            name = f"transformer/symbol_modality_8_4/{name_of(path)}/weights_0"
        assert path_of(name) == path

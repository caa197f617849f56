import logging

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from kt2t.features import Image, Label  # noqa: E402
from kt2t.losses import CrossEntropy  # noqa: E402
from kt2t.models import DenseReader  # noqa: E402
from kt2t.training.graph import as_graph  # noqa: E402


def test_a_graph_is_traced_once_for_one_signature():
    traces = []

    def double(x):
        traces.append(x)
        return 2 * x

    graph = as_graph(double)
    assert [float(graph(tf.constant(value))) for value in (1.0, 2.0)] == [2.0, 4.0] and len(traces) == 1


def test_several_models_in_one_process_are_no_mistake(caplog):
    """TensorFlow would warn of retracing from the fifth model on."""
    rows = np.zeros((4, 2, 2, 1), "uint8")
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        tf.get_logger().addHandler(caplog.handler)
        try:
            for _ in range(7):
                model = DenseReader({"inputs": Image(2, 2, 1), "targets": Label(2)}, widths=[4])
                model.compile(optimizer="sgd", loss=CrossEntropy())
                data = ({"inputs": rows}, np.zeros(4, "int32"))
                model.fit(*data, verbose=0)
                model.evaluate(*data, verbose=0)
                model.predict(data[0], verbose=0)
                model.answer(data[0])
        finally:
            tf.get_logger().removeHandler(caplog.handler)
    assert "retracing" not in caplog.text

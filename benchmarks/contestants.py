"""Who takes part in `race.py`: the same Transformer of kt2t, of KerasHub's layers and of PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from measure import clock, peak_mb, seconds

Steps = Callable[[int], list[float]]  # takes so many steps and gives the seconds of each


@dataclass(frozen=True)
class Size:
    """The shape of a model, and of its batches: `rows` of `length` tokens on both sides, none of them padding."""

    num_layers: int
    hidden_dim: int
    intermediate_dim: int
    num_heads: int
    rows: int
    dropout: float = 0.1
    length: int = 32
    vocabulary_size: int = 8192

    def model(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("rows", "length", "vocabulary_size")}

    def batches(self) -> list[Any]:
        """Sources and targets of some batches of random ids, which are neither padding nor the end."""
        shape = (8, 2, self.rows, self.length)
        return list(np.random.default_rng(1).integers(4, self.vocabulary_size, shape).astype("int32"))


SIZES = {
    "short": Size(6, 256, 1024, 4, rows=8, length=2, vocabulary_size=256),
    "long": Size(6, 256, 1024, 4, rows=8, length=512, vocabulary_size=256),
    "base": Size(6, 512, 2048, 8, rows=32),
    "small": Size(2, 256, 1024, 4, rows=64),
    "tiny": Size(1, 64, 128, 2, rows=4, length=16),
    "gpu_base": Size(6, 512, 2048, 8, rows=128, length=128, vocabulary_size=32768),
    "gpu_big": Size(6, 1024, 4096, 16, rows=64, dropout=0.3, length=128, vocabulary_size=32768),
}


class OnKeras:
    """A model that trains with `fit`. The dtype `auto` is what a recipe takes on this machine."""

    label, recompute = "kt2t", False

    def __init__(self, size: Size, dtype: str) -> None:
        import keras

        from kt2t.training.precision import precision

        self.size, self.is_on_jax = size, keras.backend.backend() == "jax"
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy(precision({"bfloat16": "mixed_bfloat16"}.get(dtype, dtype)))
        self.model, self.data = self.build()
        self.parameters = self.model.count_params()

    def build(self) -> tuple[Any, list[Any]]:
        """The compiled model, and its batches."""
        import kt2t
        from kt2t.features import Text
        from kt2t.training.optimizers.adam import Adam

        text, ones = Text(self.size.vocabulary_size), np.ones((self.size.rows, self.size.length), "int32")
        model = kt2t.models.Transformer({"inputs": text, "targets": text}, **self.size.model(), recompute=self.recompute)
        model.build()
        loss, adam = kt2t.losses.CrossEntropy(label_smoothing=0.1), Adam(1e-4, beta_2=0.98)
        model.compile(adam, loss=loss, metrics_in_training=False, jit_compile=self.is_on_jax)
        data = []
        for inputs, targets in self.size.batches():
            features = {"inputs": inputs, "inputs_segments": ones, "targets": targets, "targets_segments": ones}
            data.append((features, targets, ones.astype("float32")))
        return model, data

    def train(self, is_watched: bool) -> Steps:
        """Steps of `fit`, timed from the end of one to the end of the next; their mean where no step waits for its loss."""
        import keras

        ends: list[float] = []

        def ended(batch: int, logs: Any) -> None:
            float(logs["loss"])
            ends.append(clock())

        def steps(count: int) -> list[float]:
            ends.clear()
            watch = keras.callbacks.LambdaCallback(on_train_batch_end=ended)
            watch.async_safe = not is_watched  # Keras may call it in threads, as results arrive
            data = (batch for batch in itertools.cycle(self.data))
            self.model.fit(data, steps_per_epoch=count + 1, shuffle=False, verbose=0, callbacks=[watch])
            ends.sort()
            return np.diff(ends).tolist() if is_watched else [(ends[-1] - ends[0]) / count] * count

        return steps

    def decode(self, beams: int) -> Steps:
        """Batches decoded by beam search, or greedily with one beam; the end is forbidden, the ids come to the host."""
        from keras import ops

        from kt2t.decoding import Beam, Greedy
        from kt2t.features import END

        model, length, step = self.model, self.size.length, self.model.step
        search = Beam(beams=beams, length_penalty=0.6) if beams > 1 else Greedy()
        sources = itertools.cycle(features["inputs"] for features, *_ in self.data)

        def endless(*arguments: Any) -> Any:
            logits, cache = step(*arguments)
            return ops.where(ops.arange(logits.shape[-1]) == END, ops.cast(-1e9, logits.dtype), logits), cache

        def decode() -> None:
            ids = model.generate({"inputs": next(sources)}, search, length=length)["ids"]
            if ids.shape[2] != length or not (ids[:, 0] > 1).all():
                raise SystemExit(f"decoded {ids.shape[2]} tokens, or an end among them, not {length}")

        model.step = endless
        return lambda count: [seconds(decode) for _ in range(count)]

    def peak_mb(self) -> float:
        """Of a GPU's memory where there is one, otherwise of the process."""
        if not self.is_on_jax:
            return peak_mb()
        import jax

        return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**20 or peak_mb()


class Recomputing(OnKeras):
    """kt2t's model that computes activations again in the backward pass."""

    label, recompute = "kt2t with recompute", True


class KerasHub(OnKeras):
    """KerasHub's layers under Keras's own Adam, `compile` and `fit`, without XLA."""

    def kind(self) -> type:
        """The class of the model."""
        from keras_hub_transformer import KerasHubTransformer

        return KerasHubTransformer

    def build(self) -> tuple[Any, list[Any]]:
        import keras
        import keras_hub

        from kt2t.losses import CrossEntropy

        self.label = f"{type(self).__name__} {keras_hub.__version__.rpartition('.')[0]}"
        model = self.kind()(self.size.model(), self.size.vocabulary_size)
        loss = CrossEntropy(label_smoothing=0.1, reduction="mean_with_sample_weight")
        model.compile(keras.optimizers.Adam(1e-4, beta_2=0.98), loss=loss, jit_compile=False)
        pairs = [(inputs, targets, np.pad(targets[:, :-1], [(0, 0), (1, 0)])) for inputs, targets in self.size.batches()]
        return model, [({"inputs": inputs, "before": before}, targets) for inputs, targets, before in pairs]


class UnderTrainer(KerasHub):
    """KerasHub's layers in a model that inherits from kt2t's Trainer."""

    def kind(self) -> type:
        from kt2t.training.trainer import Trainer

        return type("UnderTrainer", (super().kind(), Trainer), {})


class Torch:
    """PyTorch's own `nn.Transformer` with `torch.compile` and fused Adam, in bfloat16 with float32 weights."""

    label = "PyTorch"

    def __init__(self, size: Size, dtype: str) -> None:
        import torch
        from torch.nn import functional as F

        self.torch, self.size, wide = torch, size, size.hidden_dim
        self.device = device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(1)
        torch.set_float32_matmul_precision("high")
        places = torch.randn(size.length, wide, device=device, dtype=torch.bfloat16)  # these cost as much as sinusoids
        causal = torch.nn.Transformer.generate_square_subsequent_mask(size.length, device)

        class Model(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table = torch.nn.Parameter(torch.randn(size.vocabulary_size, wide) * wide**-0.5)
                self.dropout = torch.nn.Dropout(size.dropout)
                shape = (wide, size.num_heads, size.num_layers, size.num_layers, size.intermediate_dim, size.dropout)
                self.stacks = torch.nn.Transformer(*shape, batch_first=True, norm_first=True, bias=False)

            def forward(self, inputs: Any, targets: Any) -> Any:
                """The loss of some ids."""
                source, target = (F.embedding(ids, self.table).to(places.dtype) * wide**0.5 for ids in (inputs, targets))
                source, target = source + places, F.pad(target[:, :-1], (0, 0, 1, 0)) + places
                x = self.stacks(self.dropout(source), self.dropout(target), tgt_mask=causal, tgt_is_causal=True)
                logits = F.linear(x, self.table).flatten(0, 1).float()
                return F.cross_entropy(logits, targets.flatten().long(), label_smoothing=0.1)

        self.model = Model().to(device)
        self.parameters = sum(weight.numel() for weight in self.model.parameters())

    def train(self, is_watched: bool) -> Steps:
        torch, device, compiled = self.torch, self.device, self.torch.compile(self.model)
        adam = torch.optim.Adam(self.model.parameters(), 1e-4, betas=(0.9, 0.98), eps=1e-7, fused=True)
        data = [torch.from_numpy(batch) for batch in self.size.batches()]
        batches = itertools.cycle([batch.pin_memory() for batch in data] if device == "cuda" else data)

        def step() -> Any:
            with torch.autocast(device, torch.bfloat16):
                loss = compiled(*next(batches).to(device, non_blocking=True))
            loss.backward()
            adam.step()
            adam.zero_grad(set_to_none=True)
            return loss.item() if is_watched else loss.detach()

        def steps(count: int) -> list[float]:
            float(step())  # until the device is idle
            return [seconds(lambda: float([step() for _ in range(count)][-1])) / count] * count

        return steps

    def peak_mb(self) -> float:
        return self.torch.cuda.max_memory_allocated() / 2**20 if self.device == "cuda" else peak_mb()


CONTESTANTS: dict[str, Any] = {"kt2t": OnKeras, "recomputing": Recomputing, "keras_hub": KerasHub, "torch": Torch}
CONTESTANTS["under_trainer"] = UnderTrainer

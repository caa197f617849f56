"""Who runs in `gpu_race.py`: kt2t on JAX, and a plain PyTorch Transformer of the same shape."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCHES, FIRST = 8, 4
Seconds = dict[str, float]


@dataclass(frozen=True)
class Size:
    """The shape of a model, and of its batches: `rows` of `length` tokens on both sides."""

    num_layers: int
    hidden_dim: int
    intermediate_dim: int
    num_heads: int
    dropout: float
    rows: int
    length: int = 128
    vocabulary_size: int = 32768

    def flop(self) -> float:
        """Of a training step: products of matrices alone, two for a multiplication and an addition, backward twice forward."""
        layers, wide, inner = self.num_layers, self.hidden_dim, self.intermediate_dim
        encoder = 4 * wide**2 + 2 * wide * inner
        decoder = 8 * wide**2 + 2 * wide * inner  # the memory's keys and values are taken once a source token
        dense = 2 * self.rows * self.length * layers * (encoder + decoder)
        attention = 4 * self.rows * wide * layers * 3 * self.length**2
        logits = 2 * self.rows * self.length * wide * self.vocabulary_size
        return 3.0 * (dense + attention + logits)


SIZES = {
    "base": Size(6, 512, 2048, 8, 0.1, rows=128),
    "big": Size(6, 1024, 4096, 16, 0.3, rows=64),
    "tiny": Size(1, 64, 128, 2, 0.1, rows=4, length=16, vocabulary_size=1000),
}


def ids(size: Size) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sources and targets of some batches."""
    chance = np.random.default_rng(1)
    shape = (2, size.rows, size.length)
    return [tuple(chance.integers(FIRST, size.vocabulary_size, shape).astype("int32")) for _ in range(BATCHES)]


class Kt2t:
    """kt2t on JAX."""

    def __init__(self, size: Size) -> None:
        import jax
        import keras

        import kt2t
        from kt2t.features import Text
        from kt2t.training.optimizers.adam import Adam

        self.jax = jax
        self.on_gpu = jax.default_backend() == "gpu"
        self.version = f"jax {jax.__version__}, keras {keras.__version__}"
        keras.utils.set_random_seed(1)
        keras.config.set_dtype_policy("mixed_bfloat16")
        shape = {name: getattr(size, name) for name in ("num_layers", "hidden_dim", "intermediate_dim", "num_heads")}
        text = Text(size.vocabulary_size)
        self.model = kt2t.models.Transformer({"inputs": text, "targets": text}, **shape, dropout=size.dropout)
        self.model.build()
        self.parameters = self.model.count_params()
        loss = kt2t.losses.CrossEntropy(label_smoothing=0.1)
        self.model.compile(Adam(1e-4, beta_2=0.98), loss=loss, metrics_in_training=False, jit_compile=True)
        ones = np.ones((size.rows, size.length), "int32")
        self.batches: list[Any] = []
        for inputs, targets in ids(size):
            features = {"inputs": inputs, "inputs_segments": ones, "targets": targets, "targets_segments": ones}
            self.batches.append((features, targets, ones.astype("float32")))
        self.lying = [jax.device_put(batch) for batch in self.batches]

    def take(self, way: str, count: int) -> Seconds:
        """Seconds a step, of giving the device a step, and the last loss, over some steps."""
        return self._resident(count) if way == "resident" else self._fit(count, way == "queued")

    def _fit(self, count: int, queued: bool) -> Seconds:
        import keras

        done: dict[int, float] = {}

        class Clock(keras.callbacks.Callback):
            """Notes when each step was done. Keras hands the logs over as numbers: in threads, unless that is unsafe."""

            async_safe = queued

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                done[batch], self.loss = time.perf_counter(), logs["loss"]

        clock, given = Clock(), self.model.step_seconds
        data = (batch for batch in itertools.cycle(self.batches))
        self.model.fit(data, steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[clock])
        times = [done[step] for step in sorted(done)]
        # The first step's beginning is not known: the steps between the first end and the last one are what is timed.
        seconds = (max(times) - min(times)) / max(count - 1, 1)
        return {"seconds": seconds, "dispatch": (self.model.step_seconds - given) / count, "loss": float(clock.loss)}

    def _resident(self, count: int) -> Seconds:
        model, names = self.model, ("trainable", "non_trainable", "optimizer", "metrics")
        kinds = [f"{name}_variables" for name in names]
        state = model._get_jax_state(**dict.fromkeys(kinds, True), purge_model_variables=True)
        model._jax_state, batches = None, itertools.cycle(self.lying)  # without a state, no look at the weights
        self.jax.block_until_ready(state)
        begun = time.perf_counter()
        for _ in range(count):
            logs, state = model.train_function(state, batches)
        given, loss = time.perf_counter() - begun, float(logs["loss"])
        seconds = (time.perf_counter() - begun) / count
        model._jax_state, model._jax_state_synced = dict(zip(kinds, state, strict=True)), False
        model.jax_state_sync()
        return {"seconds": seconds, "dispatch": given / count, "loss": loss}

    def multiply(self, width: int) -> Callable[[int], None]:
        """A function that multiplies two matrices so many times."""
        jnp = self.jax.numpy
        keys = self.jax.random.split(self.jax.random.key(1))
        one, other = (self.jax.random.normal(key, (width, width), jnp.bfloat16) for key in keys)
        product = self.jax.jit(jnp.matmul)

        def run(count: int) -> None:
            for _ in range(count):
                found = product(one, other)
            found.block_until_ready()

        return run

    def peak(self) -> float:
        """Bytes of the device at most."""
        return float((self.jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0))


class Torch:
    """PyTorch, compiled."""

    def __init__(self, size: Size) -> None:
        import torch

        self.torch = torch
        self.on_gpu = torch.cuda.is_available()
        self.device = "cuda" if self.on_gpu else "cpu"
        self.version = f"torch {torch.__version__}"
        torch.manual_seed(1)
        torch.set_float32_matmul_precision("high")
        self.model = torch_transformer(size).to(self.device)
        self.parameters = sum(weight.numel() for weight in self.model.parameters())
        self.compiled = torch.compile(self.model)
        self.adam = torch.optim.Adam(self.model.parameters(), 1e-4, betas=(0.9, 0.98), eps=1e-7, fused=True)
        self.batches = [tuple(torch.from_numpy(one) for one in batch) for batch in ids(size)]
        if self.on_gpu:
            self.batches = [tuple(one.pin_memory() for one in batch) for batch in self.batches]
        self.lying = [tuple(one.to(self.device) for one in batch) for batch in self.batches]

    def take(self, way: str, count: int) -> Seconds:
        """Seconds a step, of giving the device a step, and the last loss, over some steps."""
        batches, given = itertools.cycle(self.lying if way == "resident" else self.batches), 0.0
        self._wait()
        begun = time.perf_counter()
        for batch in itertools.islice(batches, count):
            started = time.perf_counter()
            loss = self._step(*(one.to(self.device, non_blocking=True) for one in batch))
            given += time.perf_counter() - started
            if way == "watched":
                loss.item()
        last = loss.item()
        self._wait()
        return {"seconds": (time.perf_counter() - begun) / count, "dispatch": given / count, "loss": last}

    def _step(self, inputs: Any, targets: Any) -> Any:
        with self.torch.autocast(self.device, self.torch.bfloat16):
            loss = self.compiled(inputs, targets)
        loss.backward()
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        return loss.detach()

    def _wait(self) -> None:
        if self.on_gpu:
            self.torch.cuda.synchronize()

    def multiply(self, width: int) -> Callable[[int], None]:
        """A function that multiplies two matrices so many times."""
        options = {"dtype": self.torch.bfloat16, "device": self.device}
        one, other = (self.torch.randn(width, width, **options) for _ in range(2))

        def run(count: int) -> None:
            for _ in range(count):
                self.torch.matmul(one, other)
            self._wait()

        return run

    def peak(self) -> float:
        """Bytes of the device at most."""
        return float(self.torch.cuda.max_memory_allocated()) if self.on_gpu else 0.0


def torch_transformer(size: Size) -> Any:
    """A Transformer in plain PyTorch, from ids to the loss; its residual stream is bfloat16, as kt2t's is."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    wide, heads, dropout = size.hidden_dim, size.num_heads, size.dropout

    class Attention(nn.Module):
        def __init__(self, causal: bool) -> None:
            super().__init__()
            self.causal = causal
            self.query = nn.Linear(wide, wide, bias=False)
            self.key_value = nn.Linear(wide, 2 * wide, bias=False)
            self.output = nn.Linear(wide, wide, bias=False)

        def forward(self, x: Any, memory: Any) -> Any:
            split = (-1, size.length, heads, wide // heads)
            parts = (self.query(x), *self.key_value(memory).chunk(2, -1))
            query, key, value = (part.view(split).transpose(1, 2) for part in parts)
            drop = dropout if self.training else 0.0
            found = F.scaled_dot_product_attention(query, key, value, dropout_p=drop, is_causal=self.causal)
            return self.output(found.transpose(1, 2).reshape(-1, size.length, wide))

    class Block(nn.Module):
        def __init__(self, decodes: bool) -> None:
            super().__init__()
            self.norms = nn.ModuleList(nn.LayerNorm(wide, eps=1e-6) for _ in range(3 if decodes else 2))
            self.attention = Attention(causal=decodes)
            self.cross_attention = Attention(causal=False) if decodes else None
            widen, narrow = nn.Linear(wide, size.intermediate_dim), nn.Linear(size.intermediate_dim, wide)
            self.feed_forward = nn.Sequential(widen, nn.ReLU(), nn.Dropout(dropout), narrow)
            self.dropout = nn.Dropout(dropout)

        def forward(self, x: Any, memory: Any = None) -> Any:
            y = self.norms[0](x)
            x = x + self.dropout(self.attention(y, y))
            if self.cross_attention is not None:
                x = x + self.dropout(self.cross_attention(self.norms[1](x), memory))
            return x + self.dropout(self.feed_forward(self.norms[-1](x)))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(size.vocabulary_size, wide) * wide**-0.5)
            self.encoder = nn.ModuleList(Block(decodes=False) for _ in range(size.num_layers))
            self.decoder = nn.ModuleList(Block(decodes=True) for _ in range(size.num_layers))
            self.norms = nn.ModuleList(nn.LayerNorm(wide, eps=1e-6) for _ in range(2))
            self.dropout = nn.Dropout(dropout)
            rates = torch.exp(torch.arange(wide // 2) * -(np.log(1e4) / (wide // 2 - 1)))
            angles = torch.arange(size.length)[:, None] * rates
            self.register_buffer("places", torch.cat([angles.sin(), angles.cos()], -1).to(torch.bfloat16))

        def embed(self, ids: Any) -> Any:
            return F.embedding(ids, self.table).to(torch.bfloat16) * wide**0.5

        def forward(self, inputs: Any, targets: Any) -> Any:
            memory = self.dropout(self.embed(inputs) + self.places)
            for block in self.encoder:
                memory = block(memory)
            memory = self.norms[0](memory)
            x = self.dropout(F.pad(self.embed(targets)[:, :-1], (0, 0, 1, 0)) + self.places)
            for block in self.decoder:
                x = block(x, memory)
            logits = F.linear(self.norms[1](x), self.table)
            return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten().long(), label_smoothing=0.1)

    return Model()


CONTESTANTS: dict[str, Callable[[Size], Any]] = {"kt2t": Kt2t, "torch": Torch}

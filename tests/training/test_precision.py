from types import SimpleNamespace

import keras
import pytest

from kt2t.training import precision as module
from kt2t.training.precision import dtype_policy, precision


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_policy_stays_what_it_is(policy):
    assert precision(policy) == policy


@pytest.mark.parametrize(
    ("gpus", "flags", "policy"),
    [
        ([], "fpu avx512f avx512_bf16 vnni", "mixed_bfloat16"),
        ([], "fpu amx_bf16", "mixed_bfloat16"),
        ([], "fpu avx2 avx512f", "float32"),
        ([(8, 0), (9, 0)], "", "mixed_bfloat16"),
        ([(8, 0), (7, 5)], "avx512_bf16", "float32"),
    ],
)
def test_auto_is_bfloat16_where_every_device_multiplies_it(monkeypatch, tmp_path, gpus, flags, policy):
    monkeypatch.setattr(module, "_gpu_capabilities", lambda: gpus)
    source = tmp_path / "cpuinfo"
    source.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(module, "_processor_flags", lambda read=module._processor_flags: read(source))
    assert precision() == policy


def test_a_policy_holds_inside_and_not_after():
    before = keras.config.dtype_policy().name
    with pytest.raises(RuntimeError), dtype_policy("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise RuntimeError
    assert keras.config.dtype_policy().name == before


def test_a_system_without_cpuinfo_has_no_flags(tmp_path):
    assert module._processor_flags(tmp_path / "nowhere") == set()


def test_jax_tells_what_its_gpus_can(monkeypatch):
    jax = pytest.importorskip("jax")
    devices = [SimpleNamespace(platform="gpu", compute_capability="9.0"), SimpleNamespace(platform="cpu")]
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: devices)
    assert module._gpu_capabilities() == [(9, 0)]
    assert precision() == "mixed_bfloat16"

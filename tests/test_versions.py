import platform

import keras

from kt2t.versions import PACKAGES, versions


def test_what_is_installed_is_told_and_nothing_else(monkeypatch):
    monkeypatch.setattr("kt2t.versions.PACKAGES", (*PACKAGES, "no-such-package"))
    found = versions()
    assert (found["python"], found["keras"]) == (platform.python_version(), keras.__version__)
    assert {"kt2t", "numpy", "safetensors"} <= set(found) <= {"python", *PACKAGES}

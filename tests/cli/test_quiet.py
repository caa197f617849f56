import subprocess
import sys


def test_greetings_are_left_out_and_the_rest_stays():
    code = """
import os, sys
from kt2t.cli import quiet
with quiet._without_greetings():
    os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"a real complaint\\n")
print("after", file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "a real complaint\nafter\n"


def test_importing_keras_says_nothing():
    code = "from kt2t.cli.quiet import import_keras; import_keras(); import keras; print(keras.ops.ones(2).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr

import subprocess
import sys


def test_python_m_kt2t_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "kt2t", "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("kt2t, version ")

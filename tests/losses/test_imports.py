import subprocess
import sys

import pytest


@pytest.mark.slow
def test_importing_losses_loads_torch_alone() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import losses; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split()) - set(sys.stdlib_module_names)
    assert loaded <= {"losses", "torch"}, loaded

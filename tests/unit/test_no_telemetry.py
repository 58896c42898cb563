"""What we run reports to nobody."""

import os
import subprocess
import sys
from pathlib import Path

from cluster.setup.paths import ROOT


def test_onnxruntime_keeps_no_identifier_of_this_machine(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORT_")}
    subprocess.run(
        [sys.executable, "-c", "import pipelines.models.onnx_session"],
        env={**environment, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
        cwd=ROOT,
        check=True,
    )
    assert [file for file in tmp_path.rglob("*") if "onnxruntime" in file.name] == []

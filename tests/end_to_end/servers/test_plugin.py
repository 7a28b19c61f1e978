"""A stock vLLM server gets our routes by VLLM_PLUGINS alone."""

import os
import subprocess
import sys
from pathlib import Path

import httpx

from selfjudge.shipped import SHIPPED_MODEL
from tests.end_to_end.serving import free_port, wait_until_ready


def test_stock_vllm_with_the_plugin_named(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    url = f"http://127.0.0.1:{port}"
    # What `vllm serve` starts; the command itself asks for metadata that the CPU build doesn't carry.
    stock = "vllm.entrypoints.launchers.api_server.entry"
    command = [sys.executable, "-m", stock, "--model", str(SHIPPED_MODEL), "--port", str(port), "--api-key", "k"]
    command += ["--dtype", "float32", "--kv-cache-memory-bytes", str(2**28), "--enforce-eager"]
    cpu = {"TORCH_COMPILE_DISABLE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **cpu, "VLLM_PLUGINS": "selfjudge"}
        )
    try:
        wait_until_ready(url, process, log)
        body = {"messages": [{"role": "user", "content": "Sort these letters: QDBA"}], "best_of_n": 4}
        key = {"Authorization": "Bearer k"}
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=key, timeout=60).raise_for_status()
        assert answer.json()["self_rejection"]["best_of_n"] == 4
        assert httpx.post(f"{url}/judge", json={}).status_code == httpx.codes.UNAUTHORIZED
    finally:
        process.terminate()
        process.wait(timeout=60)

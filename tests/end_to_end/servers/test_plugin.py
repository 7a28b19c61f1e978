"""A stock vLLM server gets our routes by VLLM_PLUGINS alone; its own route loads adapters past all our checks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from safetensors.numpy import load_file, save_file

from selfjudge.adapters.store import Store
from selfjudge.shipped import TINY_MODEL
from tests.end_to_end.adapted import BODY, Adapted
from tests.end_to_end.serving import Server, free_port, wait_until_ready
from tests.service.adapters.files import write_adapter

WORDS = ("QDBA", "ZXY", "MNOP", "EFGHA", "TSR", "WVUT")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With so small a cache that each request gets blocks of those before."""
    port, log = free_port(), tmp_path_factory.mktemp("stock") / "log"
    url = f"http://127.0.0.1:{port}"
    # What `vllm serve` starts; the command itself asks for metadata that the CPU build doesn't carry.
    command = [sys.executable, "-m", "vllm.entrypoints.launchers.api_server.entry"]
    command += ["--model", str(TINY_MODEL), "--served-model-name", "selfjudge-tiny", "--port", str(port)]
    command += ["--api-key", "k", "--dtype", "float32", "--enforce-eager", "--enable-lora"]
    command += ["--kv-cache-memory-bytes", str(8 * 2**20)]
    environment = {"VLLM_PLUGINS": "selfjudge", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    cpu = {"TORCH_COMPILE_DISABLE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **cpu, **environment}
        )
    try:
        wait_until_ready(url, process, log)
        with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
            yield Server(url, "k", "selfjudge-tiny", log, client, process)
    finally:
        process.terminate()
        process.wait(timeout=60)


def test_it_holds_tournaments_and_guards_our_routes(stock: Server) -> None:
    with stock.http() as client:
        answer = client.post("/v1/chat/completions", json={**BODY, "temperature": 1, "best_of_n": 4}).raise_for_status()
    assert answer.json()["self_rejection"]["best_of_n"] == 4
    assert httpx.post(f"{stock.url}/judge", json={}).status_code == httpx.codes.UNAUTHORIZED


def test_an_adapter_full_of_nan_spoils_no_other_request(stock: Server, tmp_path: Path) -> None:
    wild = write_adapter(tmp_path / "wild", 1)
    weights = load_file(wild / "adapter_model.safetensors")
    save_file({name: np.full_like(one, np.nan) for name, one in weights.items()}, wild / "adapter_model.safetensors")
    adapted = Adapted(stock, Store(tmp_path / "store"), ("", ""))
    prompts = [{"messages": [{"role": "user", "content": f"Sort these letters: {word}"}]} for word in WORDS]
    before = [adapted.text("selfjudge-tiny", **prompt) for prompt in prompts]
    with stock.http() as client:
        loading = {"lora_name": "wild", "lora_path": str(wild)}
        client.post("/v1/load_lora_adapter", json=loading).raise_for_status()
    longer = {"messages": [{"role": "user", "content": f"Sort these letters: {''.join(WORDS)}"}]}
    for prompt, text in zip(prompts * 4, before * 4, strict=True):
        adapted.chat("wild", **longer)  # reaches further into its blocks than what gets them next
        assert adapted.text("selfjudge-tiny", **prompt) == text

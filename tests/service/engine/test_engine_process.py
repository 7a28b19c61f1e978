"""A process of an engine ends when its parent is killed, and never before, whatever its whole group is sent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # stubs are a package of their own
import pytest

PARENT = """
import multiprocessing, sys, time
from selfjudge_service.engine.engine_process import end_with_parent, leave_signals_to_server, supervise_children

def child():
    leave_signals_to_server()
    end_with_parent()
    print("child", multiprocessing.current_process().pid, flush=True)
    time.sleep(60)

if __name__ == "__main__":
    supervise_children()
    end_with_parent()
    multiprocessing.get_context(sys.argv[1]).Process(target=child).start()
    time.sleep(60)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_no_process_stays_behind_when_its_parent_is_killed(tmp_path: Path, method: str) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    with subprocess.Popen([sys.executable, program, method], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline().split()[1])
        family = psutil.Process(parent.pid).children(recursive=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        time.sleep(0.5)
        assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        parent.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []

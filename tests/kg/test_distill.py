"""What the loop says while it runs: a line at once, and a line a step with the time left."""

import re
import subprocess
import sys
import time

from kg.distill import Step, take


def test_the_first_line_comes_before_anything_heavy_is_imported() -> None:
    script = (
        "import sys\n"
        "sys.modules['kg.distill'] = None  # the first heavy import fails\n"
        "from kg.cli import app\n"
        "app(['distill'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.startswith("The whole loop: about eight minutes on two idle cores")
    assert "import of kg.distill halted" in done.stderr


def test_each_step_says_its_number_and_the_time_left_by_the_pace_so_far() -> None:
    said: list[str] = []
    done: list[str] = []
    steps = [
        Step("load", 0.1, lambda: (time.sleep(0.3), done.append("load"))),
        Step("train", 60, lambda: done.append("train")),
        Step("evaluate", 20, lambda: done.append("evaluate")),
    ]
    take(steps, said.append)
    assert done == ["load", "train", "evaluate"]
    assert said[0] == "1/3 load (about 1 minute left)"
    minutes = re.fullmatch(r"2/3 train \(about (\d+) minutes left\)", said[1])
    assert minutes  # the first step took three times as long as usual
    assert 3 <= int(minutes[1]) <= 6
    assert said[2].startswith("3/3 evaluate (about 10 seconds left)")

"""The pictures beside the README, drawn anew by `make pictures` after `make distill`.

`graph.svg` is what `kg export svg` draws of one event; `report.svg` is how the newest report begins, as a terminal
shows it, in fonts that the reader has. `tradeoff.png` and `judge.png` are two pages of `kg serve` in Debian's Chromium;
for the second, some predictions are drawn to be judged.
"""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding

from kg.workspace import Workspace

ROOT = Path(__file__).parents[1]
WHERE = (
    "head.text = 'PersonX fires PersonY from the band' AND r.score IS NOT NULL AND NOT r.predicted "
    "AND type(r) IN ['xReact', 'xWant', 'HinderedBy']"
)
COLUMNS = 112
LINES = 27
PAGE = """<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, monospace; white-space: pre;
line-height: {line_height}px }} {styles}</style>
<defs>{lines}</defs>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="#0d1117"/>
<g transform="translate(9, 9)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    """Draw all four."""
    kg = Path(sys.executable).with_name("kg")
    subprocess.run([kg, "export", "svg", "graph.svg", "--where", WHERE], cwd=ROOT, check=True)
    reports = (Workspace.default().root / "runs").glob("evaluate-*/report.md")
    newest = max(reports, key=lambda path: path.stat().st_mtime)
    begin = "\n".join(newest.read_text(encoding="utf-8").splitlines()[:LINES])
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Padding(Markdown(begin), (0, 3, 0, 0)))  # readers' fonts may be wider
    console.print()
    console.save_svg(str(ROOT / "report.svg"), title="", code_format=PAGE, unique_id="report")
    _pages()
    print("graph.svg, report.svg, tradeoff.png and judge.png are drawn")


def _pages() -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the development group

    kg = Path(sys.executable).with_name("kg")
    subprocess.run([kg, "critic", "sample", "--where", "r.predicted", "--seed", "1"], cwd=ROOT, check=True)
    serving = subprocess.Popen([kg, "serve", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout
        address = re.findall(r"http\S+", serving.stdout.readline())[0]
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1000, "height": 760})
            page.goto(address)
            page.goto(f"{address.partition('/?')[0]}/tradeoff?recall=0.5")
            page.get_by_text("edges more would be accepted").wait_for(timeout=120_000)
            page.screenshot(path=ROOT / "tradeoff.png")
            page.click("text=Judge")
            page.click("button.main")
            page.wait_for_url("**/judge/ask/**")
            page.screenshot(path=ROOT / "judge.png")
            browser.close()
    finally:
        serving.terminate()
        serving.wait(60)


if __name__ == "__main__":
    main()

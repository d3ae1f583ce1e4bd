"""The pictures beside the README, drawn anew by `make pictures` after `make distill`.

`graph.svg` is what `kg export svg` draws of one event; `report.svg` is how the newest report begins, as a terminal
shows it, in fonts that the reader has.
"""

import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

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
    """Draw both."""
    kg = Path(sys.executable).with_name("kg")
    subprocess.run([kg, "export", "svg", "graph.svg", "--where", WHERE], cwd=ROOT, check=True)
    newest = max((ROOT / ".kg" / "runs").glob("evaluate-*/report.md"), key=lambda path: path.stat().st_mtime)
    begin = "\n".join(newest.read_text(encoding="utf-8").splitlines()[:LINES])
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Markdown(begin))
    console.print()
    console.save_svg(str(ROOT / "report.svg"), title="", code_format=PAGE, unique_id="report")
    print("graph.svg and report.svg are drawn")


if __name__ == "__main__":
    main()

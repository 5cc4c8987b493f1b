"""Make the picture of the README from a real run of the demo: python docs/images/demo.py"""

import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

from otel_costs.cli import demo, demo_env

WIDTH = 100


def main() -> None:
    """Run the demo against the stand-in, and draw what it shows of conversations."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, markup=False, highlight=False)
    with demo_env.store(None) as stack, demo_env.answering(stand_in=True) as provider:
        list(demo.programs(stack, provider))
        for part in demo.conversations(stack):
            console.print(part)
    svg = console.export_svg(title="otel-costs", theme=MONOKAI, code_format=_without_fonts(), unique_id="demo")
    Path(__file__).with_name("demo.svg").write_text(svg, encoding="utf-8")


def _without_fonts() -> str:
    """Return rich's picture without fonts from the network: a page that shows it may not load them."""
    return re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


if __name__ == "__main__":
    main()

"""Run the benchmarks: all, or those named. `python -m benchmarks added_time price`.

Figures are ratios within one run: absolute times say more about the machine than about the code.
"""

import importlib
import pkgutil
import sys

import benchmarks


def main() -> None:
    modules = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    found = sorted(name for name in modules if not name.startswith("_") and name != "price_comparison")  # make prices
    asked = sys.argv[1:] or found
    if unknown := set(asked) - set(found):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    sys.argv[1:] = []
    for name in asked:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


main()

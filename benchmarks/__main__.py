"""`make bench`: measures, prints a table, writes `benchmarks/results/latest.json`.

`python -m benchmarks [receiver] [slow] [processing] [pipeline]` measures only those.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure, show, write
from benchmarks.pipeline import pipeline_figures
from benchmarks.processing import processing_figures
from benchmarks.receiving import receiver_figures
from benchmarks.site import Site, site
from benchmarks.slow_clients import slow_client_figures

RESULTS = Path(__file__).parent / "results" / "latest.json"
MEASUREMENTS: dict[str, Callable[[Site], Iterator[Figure]]] = {
    "receiver": receiver_figures,
    "slow": slow_client_figures,
    "processing": processing_figures,
    "pipeline": pipeline_figures,
}


def main(chosen: list[str]) -> int:
    """Each measurement on a site of its own; what is measured is shown as it comes."""
    unknown = set(chosen) - set(MEASUREMENTS)
    if unknown:
        print(f"there is no {', '.join(sorted(unknown))}; choose of {', '.join(MEASUREMENTS)}")
        return 2
    figures = []
    for name in chosen or MEASUREMENTS:
        print(f"measuring: {name} …", flush=True)
        with site() as place:
            for figure in MEASUREMENTS[name](place):
                figures.append(figure)
                print(f"  {figure.name}: {figure.value:,.3g} {figure.unit}", flush=True)
    show(figures)
    write(figures, RESULTS)
    print(f"written: {RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

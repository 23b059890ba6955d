"""`compress serve` with a merged session per adapter instead of a set. Run as a module."""

import argparse
import sys
from pathlib import Path

from compress.serving.run import ServeOptions, serve

from .merged_backend import open_merged


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", nargs="*", default=[])
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    serve(
        lambda: open_merged(options.folder, options.names, threads=options.threads),
        ServeOptions(port=options.port),
        say=lambda line: print(line, file=sys.stderr),
    )


if __name__ == "__main__":
    main()

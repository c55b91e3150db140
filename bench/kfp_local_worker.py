"""Runs one pipeline under kfp.local, once for each line on standard input.

Answers each line with one JSON object: {"seconds": s, "error": null or text}. Only the call of the
pipeline is timed; importing kfp and loading the file are not, which favours kfp.local.
"""

import argparse
import json
import logging
import os
import signal
import sys
import tempfile
import time

from kfp import components, local


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline")
    parser.add_argument("--root", required=True, help="folder for outputs")
    parser.add_argument("--use-venv", action="store_true")
    parser.add_argument("--limit", type=int, required=True, help="seconds that one call may take")
    arguments = parser.parse_args()

    # The steps print to standard output, so that the answers go to a copy of it.
    answers = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    logging.disable(logging.CRITICAL)

    runner = local.SubprocessRunner(use_venv=arguments.use_venv)
    local.init(runner=runner, pipeline_root=arguments.root, raise_on_error=True)
    pipeline = components.load_component_from_file(arguments.pipeline)
    for line in sys.stdin:
        inputs = json.loads(line)
        with tempfile.TemporaryDirectory(dir=arguments.root) as folder:
            os.chdir(folder)
            signal.alarm(arguments.limit)
            error = None
            start = time.perf_counter()
            try:
                pipeline(**inputs)
            except Exception as failure:  # whatever goes wrong is the answer
                error = f"{type(failure).__name__}: {failure}"
            seconds = time.perf_counter() - start
            signal.alarm(0)
            os.chdir(arguments.root)
        print(json.dumps({"seconds": seconds, "error": error}), file=answers, flush=True)


if __name__ == "__main__":
    main()

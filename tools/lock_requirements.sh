#!/usr/bin/env bash
# Pins what tools/requirements/*.in ask for, with all that those need; run after editing one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
uv=$(dirname "$(./python_env.py tools)")/uv
for source in requirements/*.in; do
  target=${source%.in}.txt
  "$uv" pip compile --quiet --universal --python-version 3.11 --no-annotate --no-header \
    "$source" --output-file "$target"
  sed -i "1i # Made by tools/lock_requirements.sh from $(basename "$source")." "$target"
done

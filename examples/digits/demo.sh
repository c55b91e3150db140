#!/usr/bin/env bash
# Runs the digits pipeline and shows what came out. `./dev demo` calls it after set-up and build;
# what stands behind it (`-p epochs=20`, `--no-cache`) is passed on to `cresset run`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

cresset=build/release/bin/cresset
python=$(./dev python --path)
if [[ ! -x $cresset ]]; then
  echo "demo: $cresset is not there; run ./dev build first" >&2
  exit 1
fi

for word in "$@"; do
  case $word in
    -h | --help) exec "$cresset" run --help ;;
    -d | --detach)
      echo "demo: it waits for the end of the run, to show what came out; leave out $word" >&2
      exit 2
      ;;
  esac
done

status=0
"$cresset" run examples/digits/pipeline.yaml --python "$python" "$@" || status=$?
if [[ $status == 1 ]]; then
  echo "demo: the run failed; '$cresset show latest' and '$cresset logs latest' tell why" >&2
fi
[[ $status == 0 ]] || exit "$status"

"$cresset" show latest -o json | "$python" examples/digits/show_result.py --cresset "$cresset"

#!/usr/bin/env bash
# Build the source distribution, from it the wheel, install that without any extra into a clean environment, and select
# with it.
# PYTHON is an environment that has maturin and uv.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=$(cd "$(dirname "${PYTHON:-$root/.venv/bin/python}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$root"
"$bin/maturin" sdist --out "$work/dist" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
# Without isolation: what builds it is in the environment already. Maturin is looked for on the path. Not optimised: what
# is tried is that all is there, and that takes a third of the time.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}" CARGO_PROFILE_DEV_DEBUG=none
export MATURIN_PEP517_ARGS="--profile dev"
PATH="$bin:$PATH" "$bin/uv" build --quiet --wheel --no-build-isolation --python "$bin/python" \
  --out-dir "$work/dist" "$work"/dist/*.tar.gz
wheel=$(ls "$work"/dist/*.whl)
case "$wheel" in *-abi3-*) ;; *) echo "not an abi3 wheel: $wheel" >&2; exit 1 ;; esac

"$bin/uv" venv --quiet --python "$bin/python" "$work/clean"
"$bin/uv" pip install --quiet --python "$work/clean/bin/python" --constraint constraints.txt "$wheel"
cd "$work"
"$work/clean/bin/sage-select" build --strategy hybrid --quiet
"$work/clean/bin/python" - <<'END'
import importlib.util
import json

import pyarrow as pa

assert importlib.util.find_spec("torch") is None, "the clean environment has torch"
rows = pa.ipc.open_file("out.arrow").read_all()
manifest = json.load(open("out.arrow.manifest.json"))
assert rows.num_rows == manifest["rows"]["kept"] > 0
print(f"{rows.num_rows} rows selected by the wheel alone")
END
# What is no module is there, too: the methods that can be compared, the style of pages.
"$work/clean/bin/sage-train" methods | grep -q '^B3_coreset_hybrid ' || { echo "the methods are not in the wheel" >&2; exit 1; }
"$work/clean/bin/python" -c '
from importlib.resources import files
report = files("sage_select.report")
assert all(report.joinpath(name).is_file() for name in ("page.css", "page.html.jinja")), "the page is not in the wheel"
'
# Without the extra, training says what to install.
if "$work/clean/bin/sage-train" --selection out.arrow 2>"$work/error"; then
  echo "sage-train ran without its extra" >&2
  exit 1
elif [ $? -ne 5 ] || ! grep -q 'sage-select\[train\]' "$work/error"; then
  cat "$work/error" >&2
  exit 1
fi

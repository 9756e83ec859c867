"""Write the built-in demo data.

Several hundred tool-use dialogues (`train.jsonl.gz`, some of them repeated or mislabelled), a clean held-out set
(`heldout.jsonl.gz`), and the list of flawed rows (`flaws.json`). The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from demo_text.files import write_json, write_jsonl_gz
from demo_text.rows import make_rows

_SHIPPED = Path(__file__).resolve().parents[2] / "python" / "sage_select" / "demo" / "data"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=_SHIPPED, help="where to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="what makes one data set differ from another")
    chosen = parser.parse_args()

    data = make_rows(chosen.seed)
    chosen.output_dir.mkdir(parents=True, exist_ok=True)
    write_jsonl_gz(chosen.output_dir / "train.jsonl.gz", data.train)
    write_jsonl_gz(chosen.output_dir / "heldout.jsonl.gz", data.heldout)
    write_json(chosen.output_dir / "flaws.json", {"mislabelled": data.mislabelled, "duplicates": data.duplicates})
    print(
        f"{len(data.train)} rows ({len(data.duplicates)} repeated, {len(data.mislabelled)} mislabelled) "
        f"and {len(data.heldout)} held-out rows in {chosen.output_dir}"
    )


if __name__ == "__main__":
    main()

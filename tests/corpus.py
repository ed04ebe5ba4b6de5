"""Where the recorded streams of real providers are: beside the repository, or where TOKENTAPE_CORPUS says."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("TOKENTAPE_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
IS_HERE = (FOLDER / "INDEX.tsv").is_file()
ABSENT = f"no recorded streams at {FOLDER}; TOKENTAPE_CORPUS names the folder that has them"

"""What is said of a file, in code and in documents, is said of one that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = tuple(init.parent.name for init in ROOT.glob("*/__init__.py"))
FOLDERS = (*PACKAGES, "benchmarks", "docs", "examples")
OF_OTHERS = {
    "benchmarks/lib/endpoint_request_func.py": "vLLM's",
    "client.py": "servebench's",
    "docs/api.md": "Ollama's",
    "docs/specification.md": "opentelemetry-proto's",
}
_PATH = re.compile(rf"(?<![\w./~-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w\.\w+")
_MODULE = re.compile(r"`(_?[a-z]\w*\.py)`")


def texts():
    yield from ROOT.glob("*.md")
    for folder in FOLDERS:
        for suffix in ("py", "md", "ipynb"):
            yield from (ROOT / folder).rglob(f"*.{suffix}")


def missing(text, modules):
    """Return the files that a text names and that are not there; `modules` are names without a folder."""
    found = {path for path in _PATH.findall(text) if not (ROOT / path).exists()}
    found |= {name for name in _MODULE.findall(text) if name not in modules}
    return sorted(found - OF_OTHERS.keys())


def test_every_file_that_is_named_is_there():
    files = list(texts())
    modules = {file.name for file in files}
    found = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        for name in missing(file.read_text(encoding="utf-8"), modules)
    }
    assert {"analysis", "cli", "docs", "tests"} <= {file.relative_to(ROOT).parts[0] for file in files}
    assert found == set()


def test_a_file_that_is_not_there_is_found():
    gone, bare = "tests/" + "gone.py", "_gone" + ".py"
    assert missing(f"as `{gone}` holds, and tests/test_named_files.py, and /tests/{gone}", ()) == [gone]
    assert missing(f"known later: `{bare}`", {"_load.py"}) == [bare]

"""An option that would change nothing is refused, in one line, before anything is read."""

from itertools import product

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cli.verbs import run

FORMATS = ("table", "json", "csv", "markdown", "parquet", "otlp", "otlp-traces")
REFUSED = [
    (["--format", "otlp", "--json"], "expected --json without --format otlp"),
    (["--format", "parquet", "--json"], "expected --json without --format parquet"),
    (["--format", "otlp", "--by", "model"], "expected --by without --format otlp"),
    (["--format", "otlp-traces", "--by", "model"], "expected --by without --format otlp-traces"),
    (["--format", "parquet", "--by", "model"], "expected --by without --format parquet"),
    (["--names", "otel", "--format", "parquet", "--by", "model"], "expected --by without --format parquet"),
    (["--format", "parquet", "--slo", "ttft_ms=1"], "expected --slo without --format parquet"),
    (["--format", "otlp", "--slo", "ttft_ms=1"], "no names for attainment"),
    (["--format", "otlp-traces", "--slo", "ttft_ms=1"], "no names for attainment"),
    (["--names", "otel", "--slo", "ttft_ms=1"], "no names for attainment"),
    (["--names", "otel", "--json", "--slo", "ttft_ms=1"], "no names for attainment"),
    (["--overwrite"], "expected --output with --overwrite"),
    (["--format", "parquet", "--overwrite"], "expected --output with --overwrite"),
    (["--format", "parquet", "--names", "otel", "-o", "out"], "expected --output without --names otel"),
]


@pytest.mark.parametrize(("options", "says"), REFUSED)
def test_an_option_that_would_be_ignored_is_refused(tmp_path, options, says):
    done = run("analyze", tmp_path / "never.tape", *options)
    *_, error = done.stderr.splitlines()
    assert (done.exit_code, done.stdout, error.startswith(f"Error: {says}") or says in error) == (2, "", True)


def test_every_option_that_is_taken_changes_what_is_printed(tmp_path):
    pieces = [(200 * MS, data(chunk({"content": "a"}, "stop"))), (201 * MS, DONE)]
    path = write(tmp_path / "a.tape", records(pieces))
    plain = {form: run("analyze", path, "--format", form).stdout_bytes for form in FORMATS}
    for form, option in product(FORMATS, (["--by", "model"], ["--slo", "ttft_ms=1"], ["--json"])):
        done = run("analyze", path, "--format", form, *option)
        if (form, option) != ("json", ["--json"]):  # the same, said twice
            assert done.exit_code == 2 or done.stdout_bytes != plain[form], (form, option)

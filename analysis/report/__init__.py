"""A recording, or two compared, as one HTML page that needs nothing but a browser.

::

    from tokentape.analysis import load
    from tokentape.analysis.report import report

    Path("report.html").write_text(report(load("session.tape")), encoding="utf-8")
"""

from tokentape.analysis.report._report import report

__all__ = ["report"]

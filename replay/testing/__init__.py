"""The plugin for pytest: a test's cassette is served to it, or recorded where there is none.

Invariant: loading the plugin loads nothing that serves; a test run without cassettes pays for no more than
its own.
"""

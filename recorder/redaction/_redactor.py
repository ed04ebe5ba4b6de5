"""Takes the secrets out of records before they are written.

Everything that a client has sent is looked at, and the head and the end of every answer. The bodies of
answers are not: a recording is the truth of what was answered, byte for byte; `tokentape redact` does that
afterwards.
"""

import re

from msgspec.structs import replace

from tokentape import cassette
from tokentape.cassette import placeholder
from tokentape.recorder.redaction._bodies import query_finds, redacted_body, replaced
from tokentape.recorder.redaction._finding import Finder, apart, scheme
from tokentape.recorder.redaction._rules import Rules, bytes_regex, default_rules

_QUERY = re.compile(rb"[?#]")
_URL = re.compile(  # or a path; its query
    rb"(?:\A|[\s<\"])(?:(?i:url)=[\"']?)?(?:[A-Za-z][A-Za-z0-9+.-]{0,30}:/)?/[^\s?#<>\"]*[?#]([^\s<>\"]+)"
)


class Redactor:
    """Applies a list of rules, the default one unless another is given.

    `names` are the rules in force. `counts` is how many secrets were replaced so far, by name.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        rules = default_rules() if rules is None else rules
        self.names = rules.names
        self.counts: dict[str, int] = {}
        self.finder = Finder(rules)

    def record(self, record: cassette.Known) -> cassette.Known:
        """Return any record without secrets, but for what an answer's body says."""
        match record:
            case cassette.Section():
                return self.section(record)
            case cassette.Request():
                return self.request(record)
            case cassette.Response():
                return self.response(record)
            case cassette.End():
                return self.end(record)
            case cassette.Note():
                return self.note(record)
            case _:
                return record

    def request(self, request: cassette.Request) -> cassette.Request:
        """Return a request without secrets; `redactions` counts them, with those that it had."""
        if not self.names:
            return request
        before = self.total
        return replace(
            request,
            path=self.target(request.path),
            headers=self.headers(request.headers),
            body=redacted_body(self.finder, request.headers, request.body, self.counts),
            redactions=request.redactions + self.total - before,
        )

    def response(self, response: cassette.Response) -> cassette.Response:
        """Return the head of an answer without secrets; `redactions` counts them, with those that it had."""
        if not self.names:
            return response
        before = self.total
        return replace(
            response,
            reason=self.data(response.reason),
            headers=self.headers(response.headers),
            redactions=response.redactions + self.total - before,
        )

    def end(self, end: cassette.End) -> cassette.End:
        """Return the end of an exchange without secrets in what the proxy said of it and in trailers."""
        trailers = None if end.trailers is None else self.headers(end.trailers)
        return replace(end, detail=self.text(end.detail), trailers=trailers) if self.names else end

    def note(self, note: cassette.Note) -> cassette.Note:
        """Return a note without secrets."""
        return replace(note, text=self.text(note.text))

    def section(self, section: cassette.Section) -> cassette.Section:
        """Return a section whose labels have no secrets, and which names the rules in force."""
        labels = {self.text(name): self.labelled(name, value) for name, value in section.labels.items()}
        names = tuple(dict.fromkeys((*section.redaction, *self.names)))
        return replace(section, labels=labels, redaction=names)

    @property
    def total(self) -> int:
        """How many secrets were replaced so far."""
        return sum(self.counts.values())

    def target(self, target: bytes) -> bytes:
        """Return a request's target without secrets; placeholders in it are percent-encoded."""
        finds = [*self.finder.find(target)]
        if begin := _QUERY.search(target):
            finds += query_finds(self.finder, target[begin.end() :], begin.end())
        return replaced(target, apart(target, finds), self.counts, in_url=True)

    def headers(self, headers: cassette.Headers) -> cassette.Headers:
        """Return headers without secrets: by their names, and by shape in all others."""
        return tuple([(self._name(name), self._header(name, value)) for name, value in headers])

    def data(self, data: bytes) -> bytes:
        """Return some text without secrets."""
        return replaced(data, self.finder.find(data), self.counts)

    def text(self, text: str) -> str:
        """Return some text without secrets."""
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def labelled(self, name: str, value: str) -> str:
        """Return the value of a label without secrets; a label may be called `api_key`."""
        for rule in self.finder.fields.of(name.encode("utf-8", "surrogatepass")):
            if not rule.value or bytes_regex(rule.value).fullmatch(value.encode("utf-8", "surrogatepass")):
                self._count(rule.name)
                return placeholder(rule.name).decode()
        return self.text(value)

    def _name(self, name: bytes) -> bytes:
        """Return a header's name, or, if it is itself a secret, one that can be sent."""
        finds = self.finder.find(name)
        for find in finds:
            self._count(find.name)
        return b"redacted-" + finds[0].name.encode() if finds else name

    def _header(self, name: bytes, value: bytes) -> bytes:
        for rule in self.finder.headers.of(name):
            kept = scheme(value) if rule.keep_scheme else 0
            if not value or cassette.REDACTED.fullmatch(value, kept):
                return value
            self._count(rule.name)
            return value[:kept] + placeholder(rule.name)
        finds = [*self.finder.find(value)]
        for query in _URL.finditer(value):
            finds += query_finds(self.finder, query[1], query.start(1))
        return replaced(value, apart(value, finds), self.counts)

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

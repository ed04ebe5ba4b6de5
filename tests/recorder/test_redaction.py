import pytest

from tokentape.recorder._redaction import redact

SECRET = b"s" * 24


@pytest.mark.parametrize(
    "name",
    [
        b"Authorization",
        b"proxy-authorization",
        b"Cookie",
        b"SET-COOKIE",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"OpenAI-Organization",
        b"openai-project",
    ],
)
def test_credentials_are_replaced_and_counted(name):
    headers, count = redact(((name, SECRET), (b"accept", b"*/*")))
    assert headers == ((name, b"[redacted]"), (b"accept", b"*/*"))
    assert count == 1


def test_the_scheme_of_an_authorization_stays():
    headers, _ = redact(((b"authorization", b"Bearer " + SECRET),))
    assert headers == ((b"authorization", b"Bearer [redacted]"),)


def test_every_occurrence_is_replaced_and_the_order_stays():
    before = ((b"b", b"1"), (b"set-cookie", SECRET), (b"a", b"2"), (b"Set-Cookie", SECRET))
    headers, count = redact(before)
    assert [name for name, _ in headers] == [name for name, _ in before]
    assert count == 2
    assert not any(SECRET in value for _, value in headers)

"""What clients have to be told, as lines for a shell."""


def through_proxy(url: str, authority: str) -> list[str]:
    """Return what leads a client through a proxy that signs with an authority, by its certificate's file."""
    return [f"export HTTPS_PROXY={url} HTTP_PROXY={url}", trusting(authority)]


def trusting(authority: str) -> str:
    """Return what makes openai and all who use OpenSSL, Node, requests and curl trust an authority."""
    variables = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return "export " + " ".join(f"{name}={authority}" for name in variables)

"""Made-up secrets of every kind, built when they are needed: none stands in a file as it would be real."""

import random
import string

_random = random.Random(7)
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def letters(size: int, alphabet: str = ALNUM) -> str:
    """Return so many random letters, a digit among them; no other call returns the same."""
    return "".join(_random.choices(alphabet, k=size - 2)) + "7" + _random.choice(alphabet)


def _private_key(kind: str) -> str:
    lines = [letters(64) for _ in range(4)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


SHAPES: dict[str, list[str]] = {
    "openai-key": [
        "sk-" + letters(48),
        "sk-" + "proj-" + letters(20) + "_" + letters(40),
        "sk-" + "ant-api03-" + letters(60) + "-" + letters(10) + "AA",
        "sk-" + "or-v1-" + letters(64, HEX),
        "sk-" + letters(32, HEX),
        "sk-" + "k" * 24,
    ],
    "openai-session": ["sess-" + letters(40), "ek_" + letters(32, HEX)],
    "organization": ["org-" + letters(24)],
    "project": ["proj_" + letters(24)],
    "google-key": ["AIza" + "Sy" + letters(33)],
    "google-token": ["ya29." + letters(60), "GOCSPX-" + letters(28), "1//0" + letters(60)],
    "aws-key-id": [start + letters(16, string.ascii_uppercase + "234567") for start in ("AKIA", "ASIA")],
    "aws-bedrock-key": ["ABSK" + letters(100)],
    "alibaba-key-id": ["LTAI" + letters(20)],
    "github-token": [
        "ghp_" + letters(36),
        "ghs_" + letters(36),
        "github_pat_" + letters(22) + "_" + letters(59),
    ],
    "gitlab-token": ["glpat-" + letters(20)],
    "slack-token": ["xoxb-" + letters(11, "0123456789") + "-" + letters(24), "xapp-1-A" + letters(30)],
    "huggingface-token": ["hf_" + letters(34)],
    "groq-key": ["gsk_" + letters(52)],
    "xai-key": ["xai-" + letters(80)],
    "perplexity-key": ["pplx-" + letters(48)],
    "replicate-token": ["r8_" + letters(37)],
    "cerebras-key": ["csk-" + letters(48)],
    "fireworks-key": ["fw_" + letters(24)],
    "together-key": ["tgp_v1_" + letters(43)],
    "nvidia-key": ["nvapi-" + letters(64)],
    "databricks-token": ["dapi" + letters(32, HEX)],
    "vercel-key": ["vck_" + letters(40)],
    "langsmith-key": ["lsv2_pt_" + letters(32, HEX) + "_" + letters(10, HEX)],
    "publishable-key": ["pk-lf-" + letters(36)],
    "search-key": ["tvly-" + letters(32), "jina_" + letters(60), "fc-" + letters(32, HEX)],
    "stripe-key": ["sk_live_" + letters(24), "whsec_" + letters(32)],
    "package-token": ["npm_" + letters(36), "pypi-AgE" + letters(100), "dckr_pat_" + letters(27)],
    "cloud-token": ["hvs." + letters(40), "SG." + letters(22) + "." + letters(43), "sbp_" + letters(40, HEX)],
    "jwt": ["eyJ" + letters(33) + ".eyJ" + letters(60) + "." + letters(43)],
    "private-key": [_private_key("RSA PRIVATE KEY"), _private_key("PRIVATE KEY")],
}
"""What is found by itself, wherever it stands."""

AFTER: dict[str, list[tuple[str, str]]] = {
    "aws-secret-key": [("aws_secret_access_key = ", letters(40)), ("AWS_SECRET_ACCESS_KEY=", letters(40))],
    "azure-storage-key": [("AccountName=me;AccountKey=", letters(86) + "==")],
    "slack-webhook": [
        ("https://hooks.slack.com/services/", "T01" + letters(6) + "/B01" + letters(6) + "/" + letters(24))
    ],
    "bearer-token": [
        ("Authorization: Bearer ", letters(40)),
        ("authorization: bearer ", letters(30) + "." + letters(10)),
        ("-H 'AUTHORIZATION: BEARER ", "k" * 30),
    ],
    "basic-credentials": [("Authorization: Basic ", letters(31) + "=")],
    "url-userinfo": [("postgres://", "me:" + letters(12)), ("see https://", letters(20))],
    "url-key": [("https://x.example/?a=1&key=", letters(16)), ("GET /v1?api_key=", letters(20))],
    "url-signature": [
        ("https://b.example/o?X-Amz-Signature=", letters(64, HEX)),
        ("/o?sv=1&sig=", letters(43) + "%3D"),
    ],
    "url-token": [("https://x.example/cb?access_token=", letters(20))],
    "project": [("/v1/projects/", "quietly-otter-4711")],
    "organization": [
        ("https://api.cloudflare.com/client/v4/accounts/", letters(32, HEX)),
        ("https://gateway.ai.cloudflare.com/v1/", letters(32, HEX)),
    ],
}
"""What is found by what stands before it."""

BEHIND = {"url-userinfo": "@host.example/", "project": "/locations/x/y", "bearer-token": "'"}
"""What stands behind it, if that matters."""


def everywhere() -> list[tuple[str, str, str]]:
    """Return (name of the rule, text around a secret, the secret) for every kind."""
    by_itself = [(name, secret, secret) for name, secrets in SHAPES.items() for secret in secrets]
    after = [
        (name, before + secret + BEHIND.get(name, ""), secret)
        for name, pairs in AFTER.items()
        for before, secret in pairs
    ]
    return by_itself + after


def parts(secret: str) -> list[str]:
    """Return what must not be found of a secret: its longest words, which no escape divides."""
    words = "".join(letter if letter.isalnum() else " " for letter in secret).split()
    return [word for word in words if len(word) >= 16] or [max(words, key=len)]

import pytest

from tokentape.replay._base_path import base_path


@pytest.mark.parametrize(
    ("paths", "base"),
    [
        ([b"/v1/chat/completions"], "/v1"),
        ([b"/v1/completions?a=/x/chat/completions"], "/v1"),
        ([b"/api/v3/chat/completions", b"/v1/models", b"/v1/embeddings"], "/v1"),
        ([b"/v1/messages?beta=true"], ""),
        ([b"/openai/deployments/d/chat/completions?api-version=1"], "/openai/deployments/d"),
        ([b"/chat/completions"], ""),
        ([b"/other"], ""),
        ([], ""),
    ],
)
def test_the_base_is_what_stands_before_the_endpoint(paths, base):
    assert base_path(paths) == base

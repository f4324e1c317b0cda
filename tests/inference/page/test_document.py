import base64
import hashlib
import re

from inference.page.document import build_document


def test_the_policy_names_what_is_inside_and_nothing_else() -> None:
    document = build_document("a title")
    sources = dict(part.split(" ", 1) for part in document.policy.split("; "))
    for kind in "style", "script":
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", document.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert sources[f"{kind}-src"] == f"'sha256-{digest}'"
    assert sources["default-src"] == "'none'"
    assert "unsafe" not in document.policy


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = build_document("a title").html.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.[a-z]", html)
    assert not re.search(r"{{ \w+ }}", html)
    assert not re.search(r"\son\w+=", html)  # handlers that the policy would refuse


def test_a_title_is_text() -> None:
    html = build_document("<b>&amp;</b>").html
    assert html.count("&lt;b&gt;&amp;amp;&lt;/b&gt;") == 2
    assert "<b>" not in html


def test_what_can_be_used_has_a_name() -> None:
    html = build_document("a title").html
    for button in re.findall(r"<button.*?</button>", html, re.DOTALL):
        assert re.sub(r"<[^>]*>|\s", "", button), button
    labelled = set(re.findall(r'for="([\w-]+)"', html))
    for field in re.findall(r"<input[^>]*>", html):
        (name,) = re.findall(r'id="([\w-]+)"', field)
        assert "aria-label=" in field or name in labelled, field
    assert 'role="status" aria-live="polite"' in html

from pathlib import Path

import pytest

from inference.configuration import read_yaml


def written(folder: Path, content: str) -> Path:
    file = folder / "a.yaml"
    file.write_text(content)
    return file


def test_what_is_plain_is_read(tmp_path: Path) -> None:
    content = "base: &base {levels: 3}\nmodels: [*base, *base]\nname: é  # a comment\n"
    expected = {"base": {"levels": 3}, "models": [{"levels": 3}] * 2, "name": "é"}
    assert read_yaml(written(tmp_path, content)) == expected
    assert read_yaml(written(tmp_path, "")) is None
    assert read_yaml(written(tmp_path, "a: {name: 1}\nb: {name: 2}")) == {"a": {"name": 1}, "b": {"name": 2}}
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"the key a is there twice, in line 3; remove one"),
        ("a: [{b: 1,\n  b: 1}]", r"the key b is there twice, in line 2; remove one"),
        ("a:\n\t- b", r"line 2: found character that cannot start any token"),
        ("[" * 10_000, r"exceeded maximum nesting depth|did not find expected"),
        ("a: *b", r"line 1: found undefined alias"),
        ("a: !!python/name:os.system", r"line 1: could not determine a constructor for the tag"),
    ],
)
def test_what_is_not_is_one_line_that_names_the_file(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"a\.yaml: not YAML that can be read \(.*({message})") as error:
        read_yaml(written(tmp_path, content))
    assert "\n" not in str(error.value)


def test_aliases_may_repeat_no_more_than_100_000_values(tmp_path: Path) -> None:
    """Each of five lists holds ten of the one before."""
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 5))]
    assert len(read_yaml(written(tmp_path, "\n".join(lines)))["a4"]) == 10
    lines.append(f"a5: [{', '.join(['*a4'] * 10)}]")
    with pytest.raises(ValueError, match=r"aliases \(\*NAME\) repeat more than 100,000 values; write them out"):
        read_yaml(written(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize("content", ["a: &x [*x]", "a: &x {b: *x}", "[" * 600 + "]" * 600])
def test_what_does_not_end_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.yaml: nested too deeply, or an alias .* contains itself; write it out"):
        read_yaml(written(tmp_path, content))


def test_other_encodings_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("name: é".encode("utf-16"))
    with pytest.raises(ValueError, match=r"a\.yaml: no text in UTF-8, and so no YAML; take another file"):
        read_yaml(tmp_path / "a.yaml")

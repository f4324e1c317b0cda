from pathlib import Path

import pytest

from inference import DataError
from inference.files import Job, check_targets, jobs, picture_named


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def places(found: list[Job], out: Path) -> list[str]:
    return [job.stem.relative_to(out).as_posix() for job in found]


def test_the_pictures_of_a_folder_keep_their_places(tmp_path: Path) -> None:
    source = touch(tmp_path / "in", "b.jpg", "sub/한글.png", "notes.txt", ".hidden.png")
    touch(source, "out/old.png")
    found = jobs([source], source / "out")
    assert [job.source.name for job in found] == ["b.jpg", "한글.png"]
    assert places(found, source / "out") == ["b", "sub/한글"]


def test_several_folders_have_a_place_each(tmp_path: Path) -> None:
    a, b = touch(tmp_path / "a", "1.png"), touch(tmp_path / "b", "1.png")
    assert places(jobs([a, b, a / "1.png"], tmp_path / "out"), tmp_path / "out") == ["a/1", "b/1", "1"]


def test_one_picture_may_go_to_a_file_or_a_folder(tmp_path: Path) -> None:
    file = touch(tmp_path, "1.png") / "1.png"
    assert jobs([file], tmp_path / "x.tif") == [Job(file, tmp_path / "x", tmp_path / "x.tif")]
    assert jobs([file], tmp_path / "x") == [Job(file, tmp_path / "x" / "1")]


def test_results_of_one_name_keep_the_endings(tmp_path: Path) -> None:
    source = touch(tmp_path, "a.jpg", "a.png", "b.png")
    assert places(jobs([source], tmp_path / "out"), tmp_path / "out") == ["a.jpg", "a.png", "b"]
    one, other = touch(tmp_path / "one", "c.png") / "c.png", touch(tmp_path / "other", "c.png") / "c.png"
    with pytest.raises(DataError, match=r"other/c\.png: its result would have the name of that of .*one/c\.png"):
        jobs([one, other], tmp_path / "out")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "empty/notes.txt")
    for source, message in {
        "absent.png": r"absent\.png: no such file",
        "notes.txt": r"notes\.txt: not a picture; its ending must be one of \.png",
        "empty": r"empty: no pictures in or below this folder",
    }.items():
        with pytest.raises(DataError, match=message):
            jobs([tmp_path / source], tmp_path / "out")


def test_nothing_is_written_over_a_picture(tmp_path: Path) -> None:
    file = touch(tmp_path, "1.png", "out/1.png") / "1.png"
    (tmp_path / "link.png").symlink_to(file)
    for target in file, tmp_path / "link.png":
        with pytest.raises(DataError, match="the result would be written over its picture"):
            check_targets(Job(file, file.with_suffix("")), [target], overwrite=True)
    job = Job(file, tmp_path / "out" / "1")
    with pytest.raises(DataError, match=r"out/1\.png: exists already; choose another place, or --overwrite"):
        check_targets(job, [tmp_path / "out" / "1.png"], overwrite=False)
    check_targets(job, [tmp_path / "out" / "1.png"], overwrite=True)


def test_a_picture_is_found_by_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "a.b.tif")
    assert picture_named("a.b", tmp_path) == tmp_path / "a.b.tif"
    with pytest.raises(DataError, match="a: no picture of this name, with an ending of"):
        picture_named("a", tmp_path)

"""What somebody else may have written is not run: owners, permissions and links of cache folders."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from l1emu.trust import make_private_folder, private_file, private_folder


@pytest.fixture(autouse=True)
def closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    if not private_folder(tmp_path):
        pytest.skip("others may write above the folder of the tests")


def test_a_folder_of_this_user_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for mode in (0o700, 0o755, 0o500):
        folder.chmod(mode)
        assert private_folder(folder)


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o1777, 0o722])
def test_one_that_others_may_write_is_not(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    folder.chmod(mode)
    assert not private_folder(folder)


def test_nor_one_below_such_a_folder_except_in_a_sticky_one(tmp_path: Path) -> None:
    folder = tmp_path / "open" / "a"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o1777)
    assert private_folder(folder)
    folder.parent.chmod(0o777)
    assert not private_folder(folder)


def test_a_group_is_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    own = os.stat(folder).st_gid
    folder.chmod(0o775)
    named = pwd.getpwuid(os.geteuid())
    assert private_folder(folder) == (own == named.pw_gid and _group(own) == named.pw_name)
    if os.geteuid() == 0:
        os.chown(folder, -1, 12345)  # a group that has no name
        assert not private_folder(folder)


def _group(gid: int) -> str:
    return grp.getgrgid(gid).gr_name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_owner_anywhere_on_the_way(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    assert private_folder(folder)
    os.chown(folder.parent, 12345, -1)
    assert not private_folder(folder)
    os.chown(folder.parent, 0, -1)
    os.chown(folder, 12345, -1)
    assert not private_folder(folder)
    file = tmp_path / "file"
    file.write_text("")
    assert private_file(file)
    os.chown(file, 12345, -1)
    assert not private_file(file)
    link = tmp_path / "link"
    (tmp_path / "c").mkdir()
    link.symlink_to("c")
    assert private_folder(link)
    os.lchown(link, 12345, -1)
    assert not private_folder(link)


def test_links_are_followed_to_what_they_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "shut" / "inner").mkdir(parents=True)
    for name, to, private in (
        ("relative", "shut", True),
        ("absolute", str(tmp_path / "shut" / "inner"), True),
        ("two", "relative/inner", True),
        ("bad", "open", False),
        ("up", "relative/inner/../../open", False),
        ("round", "round", False),
        ("nowhere", "absent", False),
    ):
        (tmp_path / name).symlink_to(to)
        assert private_folder(tmp_path / name) is private, name
    assert private_folder(f"{tmp_path}/absolute/..")  # that of shut/, not of the link
    (tmp_path / "shut").chmod(0o777)
    assert not private_folder(f"{tmp_path}/absolute/..")
    monkeypatch.chdir(tmp_path)
    assert private_folder(".")
    assert not private_folder("open")


def test_what_is_absent_or_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (tmp_path / "absent", file, file / "below", "a\0b"):
        assert not private_folder(path)
    assert not private_file(tmp_path)
    assert not private_file(tmp_path / "absent")
    assert not private_file("a\0b")


def test_a_file_that_others_may_write(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    file.chmod(0o755)
    assert private_file(file)
    file.chmod(0o666)
    assert not private_file(file)
    file.chmod(0o600)
    (tmp_path / "link").symlink_to("file")
    assert not private_file(tmp_path / "link")
    tmp_path.chmod(0o777)
    assert not private_file(file)


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert make_private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for name in ("a", "a/b", "a/b/c"):
        assert os.stat(tmp_path / name).st_mode & 0o777 == 0o700
    (tmp_path / "a").chmod(0o777)
    assert not make_private_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not make_private_folder(tmp_path / "file" / "below")
    assert not make_private_folder("a\0b")

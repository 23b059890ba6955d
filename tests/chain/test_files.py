from compress.chain.digests import Digests
from compress.chain.files import files_below


def written(file, text="x"):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def inside(folder):
    return [path.relative_to(folder).as_posix() for path in files_below(folder)]


def test_a_linked_folder_is_in_the_digest_as_it_is_read(tmp_path):
    data, elsewhere = tmp_path / "data", written(tmp_path / "elsewhere" / "1.txt")
    written(data / "a" / "1.txt")
    before = Digests().folder(data)
    (data / "b").symlink_to(elsewhere.parent)
    linked = Digests().folder(data)
    written(elsewhere, "y")
    assert inside(data) == sorted(path.relative_to(data).as_posix() for path in data.glob("*/*.txt"))
    assert len({before, linked, Digests().folder(data)}) == 3


def test_two_links_to_one_folder_are_two_folders(tmp_path):
    written(tmp_path / "a" / "1.txt")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert inside(tmp_path) == ["a/1.txt", "b/1.txt"]


def test_links_that_lead_back_up_are_not_followed(tmp_path):
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    written(data / "a" / "1.txt")
    written(elsewhere / "2.txt")
    (data / "a" / "up").symlink_to(data)
    (data / "away").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(data)
    (data / "itself").symlink_to(data / "itself")
    assert inside(data) == ["a/1.txt", "away/2.txt"]


def test_a_folder_that_is_not_there_has_no_files(tmp_path):
    assert files_below(tmp_path / "none") == []

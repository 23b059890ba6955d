"""Which adapters answer, while the folder changes below."""

import shutil
import time

import pytest

from compress.adapters.facts import read_facts
from compress.adapters.set_file import OwnHead
from compress.adapters.set_folder import AdapterSetFolder
from compress.errors import AdapterError
from compress.serving.adapters_on_disk import AdaptersOnDisk
from compress.serving.backend import UnknownModel, UnknownVersion
from compress.serving.registry import Registry
from tests.adapters.hand_made import tiny_delta
from tests.serving.hand_made import served_set


class Scanned(AdapterSetFolder):
    """Counts how often adapters' folders are read."""

    scans = 0

    def versions(self, name):
        self.scans += 1
        return super().versions(name)


class World:
    """A set on disk, its registry, a clock, and what is held in slots."""

    def __init__(self, path, *, rest_s=0.0, **options):
        self.folder, self.now, self.held, self.read = Scanned(path), 0.0, set(), []
        self.rest_s = rest_s
        """How long ago everything seems to have changed."""
        adapters = AdaptersOnDisk(
            self.folder, read_facts=self._read, is_held=lambda key: key in self.held, clock=lambda: self.now,
            now_ns=lambda: time.time_ns() + int(1e9 * self.rest_s),
        )  # fmt: skip
        self.registry = Registry(adapters, clock=lambda: self.now, **options)
        self.find = self.registry.find

    def _read(self, folder):
        self.read.append(folder.parent.name)
        return read_facts(folder)

    def later(self):
        self.now += 0.5

    def scans(self):
        """Of the folders, since the last time this was asked."""
        since, self.folder.scans = self.folder.scans, 0
        return since


@pytest.fixture
def world(tmp_path):
    return World(served_set(tmp_path / "set", ["news", "sentiment"]))


@pytest.fixture
def other(tmp_path):
    return tiny_delta(tmp_path / "other", seed=9, labels=("low", "high"))


def test_the_facts_are_those_of_the_manifest(world):
    facts = world.find("news")
    assert (facts.name, facts.version, facts.versions, facts.latest) == ("news", 1, (1,), 1)
    assert (facts.task, facts.labels, facts.max_length) == ("text-classification", ("no", "yes", "maybe"), 32)
    assert (facts.state, facts.reason) == ("READY", "")


def test_all_are_listed_by_name(world):
    assert [facts.name for facts in world.registry.models()] == ["news", "sentiment"]


def test_manifests_are_read_once_and_only_when_asked_for(world):
    assert world.read == []
    for _ in range(3):
        world.find("news")
        world.later()
    assert world.read == ["news"]


def test_an_unknown_name_comes_with_near_ones(world):
    with pytest.raises(UnknownModel, match="there is no adapter 'newss' here; did you mean 'news'") as caught:
        world.find("newss")
    assert caught.value.near == ("news",)
    with pytest.raises(UnknownModel, match="GET /v1/models lists them"):
        world.find("quite another")


@pytest.mark.parametrize("name", ["../news", "news/../news", "/etc/passwd", "news\0", "", "a" * 10_000, "néws", ".."])
def test_names_with_path_characters_are_unknown(world, name):
    with pytest.raises(UnknownModel) as caught:
        world.find(name)
    assert len(str(caught.value)) < 300


def test_an_unknown_version_comes_with_the_known_ones(world):
    with pytest.raises(UnknownVersion, match="adapter 'news' has no version 2: it has 1; name one of them") as caught:
        world.find("news", "2")
    assert caught.value.known == (1,)


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.0", "latest", "", "../1", "9" * 5000])
def test_versions_that_are_no_numbers_are_unknown(world, version):
    with pytest.raises(UnknownVersion) as caught:
        world.find("news", version)
    assert len(str(caught.value)) < 300


def test_a_promoted_version_answers_after_half_a_second(world, other):
    world.find("news")
    world.folder.add("news", other)
    assert world.find("news").version == 1
    world.later()
    facts = world.find("news")
    assert (facts.version, facts.labels, facts.versions) == (2, ("low", "high"), (1, 2))
    assert world.find("news", "1").labels == ("no", "yes", "maybe")


def test_a_version_that_was_not_promoted_answers_only_by_number(world, other):
    world.folder.add("news", other, promote=False)
    assert (world.find("news").version, world.find("news").latest) == (1, 1)
    assert world.find("news", "2").labels == ("low", "high")


def test_an_adapter_that_is_added_answers_at_once(world, other):
    with pytest.raises(UnknownModel):
        world.find("late")
    world.folder.add("late", other)
    assert world.find("late").version == 1


def test_a_removed_version_answers_on_while_it_is_held(world, other):
    world.folder.add("news", other)
    for version in ("1", "2"):
        facts = world.find("news", version)
    world.held.add(("news", 1, world.find("news", "1").stamp))
    world.folder.promote("news", 2)
    world.folder.remove("news", 1)
    world.later()
    assert world.find("news", "1").labels == ("no", "yes", "maybe")
    world.held.clear()
    world.later()
    with pytest.raises(UnknownVersion, match="it has 2"):
        world.find("news", "1")
    assert facts.version == 2


def test_a_removed_adapter_answers_on_while_it_is_held(world):
    facts = world.find("news")
    world.held.add(("news", 1, facts.stamp))
    world.folder.remove("news")
    world.later()
    assert world.find("news") == facts
    assert [one.name for one in world.registry.models()] == ["news", "sentiment"]
    world.held.clear()
    world.later()
    with pytest.raises(UnknownModel):
        world.find("news")
    assert [one.name for one in world.registry.models()] == ["sentiment"]


def test_a_version_that_is_made_again_by_hand_is_read_again(world, other):
    world.find("news")
    folder = world.folder.folder("news", 1)
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    world.later()
    assert world.find("news").labels == ("low", "high")


def test_a_damaged_manifest_makes_its_adapter_alone_unavailable(world, other):
    manifest = world.folder.folder("news", 1) / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole[:40])
    facts = world.find("news")
    assert facts.state == "UNAVAILABLE"
    assert "manifest.json is not the manifest of a LoRA delta" in facts.reason
    assert [(one.name, one.state) for one in world.registry.models()] == [
        ("news", "UNAVAILABLE"), ("sentiment", "READY"),
    ]  # fmt: skip
    manifest.write_text(whole)
    assert world.find("news").state == "READY"


class Unreadable(Scanned):
    """A set of which one adapter's folder cannot be read, as without the right to."""

    def versions(self, name):
        if name == "sentiment":
            raise AdapterError("adapters/sentiment cannot be read: Permission denied.")
        return super().versions(name)


def test_an_adapter_whose_folder_cannot_be_read_makes_itself_alone_unavailable(world):
    world.find("news")
    world.folder.__class__ = Unreadable
    assert [(one.name, one.state) for one in world.registry.models()] == [
        ("news", "READY"), ("sentiment", "UNAVAILABLE"),
    ]  # fmt: skip
    for version in (None, "1"):
        assert world.find("sentiment", version).reason == "adapters/sentiment cannot be read: Permission denied."
    with pytest.raises(UnknownModel, match="did you mean 'news'"):
        world.find("newss")
    world.folder.__class__ = Scanned
    assert world.find("sentiment").state == "READY"


def test_an_adapter_whose_folder_cannot_be_read_any_more_answers_on_while_it_is_held(world):
    facts = world.find("sentiment")
    world.held.add(("sentiment", 1, facts.stamp))
    world.folder.__class__ = Unreadable
    world.later()
    assert world.find("sentiment") == facts


def test_a_set_whose_folder_cannot_be_read_any_more_lists_what_is_held(world, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    facts = world.find("news")
    world.held.add(("news", 1, facts.stamp))
    monkeypatch.setattr("os.scandir", refuse)
    world.later()
    assert world.registry.models() == [facts]


@pytest.mark.parametrize("pointer", [None, "7", "x", ""])
def test_without_a_usable_pointer_the_highest_version_answers(world, other, pointer):
    world.folder.add("news", other)
    latest = world.folder.path / "adapters" / "news" / "latest"
    latest.unlink() if pointer is None else latest.write_text(pointer)
    assert world.find("news").version == 2


def test_a_set_folder_that_is_gone_leaves_what_is_held(world):
    facts = world.find("news")
    world.held.add(("news", 1, facts.stamp))
    shutil.rmtree(world.folder.path)
    world.later()
    assert world.find("news") == facts
    with pytest.raises(UnknownModel):
        world.find("sentiment")


def test_an_unloaded_adapter_is_unavailable_until_it_is_loaded(world):
    world.registry.unload("news")
    facts = world.find("news")
    assert (facts.state, facts.reason) == ("UNAVAILABLE", "'news' was unloaded: load it again to have it answer.")
    assert world.find("sentiment").state == "READY"
    world.registry.load("news")
    assert world.find("news").state == "READY"


def test_a_version_can_be_chosen_in_this_process_alone(world, other):
    world.folder.add("news", other)
    world.registry.load("news", 1)
    assert (world.find("news").version, world.find("news").latest, world.folder.latest("news")) == (1, 1, 2)
    world.registry.load("news")
    assert world.find("news").version == 2


def test_what_is_not_there_can_be_neither_loaded_nor_unloaded(world):
    for act in (lambda: world.registry.load("old"), lambda: world.registry.unload("old")):
        with pytest.raises(UnknownModel):
            act()
    with pytest.raises(UnknownVersion):
        world.registry.load("news", 5)


def test_a_base_without_a_head_is_refused_by_name(world):
    with pytest.raises(UnknownModel, match="'base' here: the base of this set has no head of its own"):
        world.find("base")


def test_a_base_with_a_head_answers_as_base(tmp_path, other):
    head = OwnHead(task="text-classification", labels=("no", "yes"), max_length=16)
    world = World(served_set(tmp_path / "set"), own_head=head)
    facts = world.find("base", "1")
    assert (facts.labels, facts.max_length, facts.versions, facts.stamp) == (("no", "yes"), 16, (1,), 0)
    assert [one.name for one in world.registry.models()] == ["base", "news"]
    with pytest.raises(UnknownVersion):
        world.find("base", "2")
    world.registry.unload("base")
    assert world.find("base").state == "UNAVAILABLE"
    world.registry.load("base")
    world.folder.add("base", other)  # the user's own name goes before
    assert world.find("base").labels == ("low", "high")


@pytest.fixture
def at_rest(tmp_path):
    """A set that nobody seems to have touched for long."""
    return World(served_set(tmp_path / "set", ["news", "sentiment"]), rest_s=3600)


def tick():
    """Let the clock of the file system, which is a coarse one, go on."""
    time.sleep(0.03)


def test_a_folder_at_rest_is_not_read_again(at_rest):
    for _ in range(4):
        at_rest.find("news")
        at_rest.later()
    assert at_rest.scans() <= 3, "versions, facts and their folder, all in the first turn"
    assert at_rest.read == ["news"]
    at_rest.find("news")
    assert at_rest.scans() == 0


def test_a_folder_that_was_just_changed_is_read_again_since_a_clock_may_be_coarse(world):
    world.rest_s = -3600
    for _ in range(3):
        world.find("news")
        world.later()
        assert world.scans() > 0
    world.rest_s = 3600
    world.find("news")
    assert world.scans() > 0
    world.later()
    world.find("news")
    assert world.scans() == 0


@pytest.mark.parametrize("change", ["add", "promote", "remove", "remove all", "by hand", "pointer by hand"])
def test_whatever_changes_in_a_folder_at_rest_is_noticed(at_rest, other, change):
    folder = at_rest.folder
    folder.add("news", other, promote=False)
    assert at_rest.find("news", "2").latest == 1
    if change == "remove":
        folder.promote("news", 2)
        at_rest.later()
        at_rest.find("news", "1")
    at_rest.later()
    tick()
    if change == "add":
        folder.add("news", other)
    elif change == "promote":
        folder.promote("news", 2)
    elif change == "remove":
        folder.remove("news", 1)
    elif change == "remove all":
        folder.remove("news")
    elif change == "by hand":
        shutil.rmtree(folder.folder("news", 1))
        shutil.copytree(other, folder.path / "adapters/news/1")
    else:
        (folder.path / "adapters/news/latest").write_text("2\n")
    if change == "remove all":
        with pytest.raises(UnknownModel):
            at_rest.find("news")
        return
    facts = at_rest.find("news")
    assert (facts.versions, facts.latest, facts.labels) == {
        "add": ((1, 2, 3), 3, ("low", "high")), "promote": ((1, 2), 2, ("low", "high")),
        "remove": ((2,), 2, ("low", "high")), "by hand": ((1, 2), 1, ("low", "high")),
        "pointer by hand": ((1, 2), 2, ("low", "high")),
    }[change]  # fmt: skip


def test_a_version_at_rest_whose_files_change_is_read_again(at_rest):
    before = at_rest.find("news")
    at_rest.later()
    tick()
    (at_rest.folder.folder("news", 1) / "note").write_text("")
    assert at_rest.find("news").stamp != before.stamp
    assert at_rest.read == ["news", "news"]


def test_a_folder_at_rest_that_could_not_be_read_is_tried_again(at_rest):
    at_rest.folder.__class__ = Unreadable
    assert at_rest.find("sentiment").state == "UNAVAILABLE"
    at_rest.folder.__class__ = Scanned
    at_rest.later()
    assert at_rest.find("sentiment").state == "READY"


def test_a_thousand_adapters_cost_little_at_the_start(tmp_path):
    path = served_set(tmp_path / "set")
    first = path / "adapters" / "news"
    for number in range(1000):
        shutil.copytree(first, path / "adapters" / f"a{number}", copy_function=lambda source, to: to)
        shutil.copyfile(first / "1" / "manifest.json", path / "adapters" / f"a{number}" / "1" / "manifest.json")
    started = time.process_time()
    world = World(path)
    assert world.find("a999").version == 1
    ready = time.process_time() - started
    assert ready < 0.5  # one manifest and one pointer are read
    assert len(world.registry.models()) == 1001

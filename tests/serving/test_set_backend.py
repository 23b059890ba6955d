"""A set that is served, from a folder on disk to logits; the graph is one that a person can compute."""

import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from compress.adapters.delta import Layer
from compress.adapters.own_head import write_own_head
from compress.adapters.set_file import OwnHead, SetFile
from compress.adapters.set_folder import AdapterSetFolder
from compress.errors import AdapterError, ConfigurationError
from compress.serving import set_backend
from compress.serving.backend import BadRow, ModelUnavailable, OutOfSpace, PairIds, UnknownVersion
from compress.serving.set_backend import SetBackend, open_set
from tests.adapters.hand_made import WIDTH, tiny_delta
from tests.serving.hand_made import EMBEDDING, HandSession, logits_by_hand, served_set

FAR = time.monotonic() + 3600
IDS = (2, 4, 5, 3)


@pytest.fixture
def opened():
    """Opens sets, and stops them in the end."""
    backends, sessions = [], []

    def open_it(path, **options):
        sessions.append(HandSession())
        backends.append(SetBackend(path, sessions[-1], refresh_s=0, **options))
        return backends[-1]

    open_it.sessions = sessions
    yield open_it
    for session in sessions:
        session.release()
    for backend in backends:
        backend.stop()


def ask(backend, name, ids=IDS, version=None):
    return backend.submit(backend.find(name, version), [ids], deadline=FAR).result(30)[0]


def file_of(path, name, version=1):
    return AdapterSetFolder(path).folder(name, version) / "adapter_model.safetensors"


def test_every_adapter_answers_with_its_own_head(tmp_path, opened):
    backend = opened(served_set(tmp_path / "set", {"news": 3, "sentiment": 4}))
    for name, seed in (("news", 3), ("sentiment", 4), ("news", 3)):
        np.testing.assert_allclose(ask(backend, name), logits_by_hand(IDS, seed), rtol=1e-4, atol=1e-5)


def test_the_answer_has_as_many_logits_as_the_adapter_labels(tmp_path, opened):
    path = served_set(tmp_path / "set")
    AdapterSetFolder(path).add("two", tiny_delta(tmp_path / "two", labels=("low", "high")))
    backend = opened(path)
    assert (ask(backend, "news").shape, ask(backend, "two").shape) == ((3,), (2,))


def test_texts_are_encoded_and_cut_to_the_adapter_s_length(tmp_path, opened):
    path = served_set(tmp_path / "set")
    AdapterSetFolder(path).add("short", tiny_delta(tmp_path / "short", manifest={"max_length": 4}))
    backend = opened(path)
    assert backend.encode(backend.find("news"), "goal match vote") == (2, 4, 5, 6, 3)
    assert backend.encode(backend.find("short"), "goal match vote") == (2, 4, 5, 3)
    pair = backend.encode(backend.find("news"), ("goal", "vote"))
    assert (pair, pair.types) == ((2, 4, 3, 6, 3), (0, 0, 0, 1, 1))
    assert isinstance(pair, PairIds)


def test_half_a_surrogate_is_no_text(tmp_path, opened):
    backend = opened(served_set(tmp_path / "set"))
    with pytest.raises(BadRow, match="half of a surrogate pair stands at character 2"):
        backend.encode(backend.find("news"), "a \ud800")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((), "row 0 has 0 token ids, 'news' takes 1 to 32"),
        ((1,) * 33, "row 0 has 33 token ids"),
        ((2, 10, 3), "row 0 has the token id 10, the model knows 0 to 9"),
        ((2, -1, 3), "row 0 has the token id -1"),
    ],
)
def test_ids_that_the_model_cannot_take_are_refused_before_they_wait(tmp_path, opened, ids, message):
    backend = opened(served_set(tmp_path / "set"))
    with pytest.raises(BadRow, match=message):
        ask(backend, "news", ids)


def test_more_adapters_than_slots_are_served_from_one_process(tmp_path, opened):
    names = {f"a{number}": number for number in range(9)}
    backend = opened(served_set(tmp_path / "set", names), slots=3)
    futures = [(seed, backend.submit(backend.find(name), [IDS], deadline=FAR)) for name, seed in names.items()]
    for seed, future in futures:
        np.testing.assert_allclose(future.result(30)[0], logits_by_hand(IDS, seed), rtol=1e-4, atol=1e-5)
    said = backend.statistics()
    assert (said.slots, said.slots_used, said.loads, said.evictions, said.rows) == (3, 2, 9, 7, 9)


def test_rows_of_several_adapters_run_together(tmp_path, opened):
    backend = opened(served_set(tmp_path / "set", {"news": 3, "sentiment": 4}))
    session = opened.sessions[0]
    session.hold()
    first = backend.submit(backend.find("news"), [(1,)], deadline=FAR)
    assert session.reached.wait(30)
    futures = [backend.submit(backend.find(name), [IDS], deadline=FAR) for name in ("news", "sentiment")]
    session.release()
    np.testing.assert_allclose(futures[0].result(30)[0], logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(futures[1].result(30)[0], logits_by_hand(IDS, 4), rtol=1e-4, atol=1e-5)
    assert session.shapes[-1] == (2, 4)
    assert first.result(30)[0].shape == (3,)


def test_a_request_is_answered_by_the_version_of_its_admission(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3})
    backend, session = opened(path), opened.sessions[0]
    session.hold()
    backend.submit(backend.find("news"), [(1,)], deadline=FAR)
    assert session.reached.wait(30)
    before = backend.submit(backend.find("news"), [IDS], deadline=FAR)
    AdapterSetFolder(path).add("news", tiny_delta(tmp_path / "new", seed=5))
    after = backend.submit(backend.find("news"), [IDS], deadline=FAR)
    session.release()
    np.testing.assert_allclose(before.result(30)[0], logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after.result(30)[0], logits_by_hand(IDS, 5), rtol=1e-4, atol=1e-5)


def test_a_thousand_requests_while_versions_are_promoted_each_get_the_version_of_their_admission(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3})
    folder = AdapterSetFolder(path)
    folder.add("news", tiny_delta(tmp_path / "new", seed=5))
    backend = opened(path, queue=1000)
    wanted = {1: logits_by_hand(IDS, 3), 2: logits_by_hand(IDS, 5)}
    promoting, latest = threading.Lock(), [2]

    def request(number):
        with promoting:  # so that it is known what is latest at this moment; answers come outside
            if number % 10 == 0:
                latest[0] = 3 - latest[0]
                folder.promote("news", latest[0])
            version, facts = latest[0], backend.find("news")
        return version, facts.version, backend.submit(facts, [IDS], deadline=FAR).result(60)[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(request, range(1000)))
    assert 300 < sum(version == 1 for version, _, _ in answers) < 700
    for version, admitted, logits in answers:
        assert admitted == version
        np.testing.assert_allclose(logits, wanted[version], rtol=1e-4, atol=1e-5)


def test_a_delta_that_is_cut_after_the_start_fails_its_own_rows_alone(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3, "sentiment": 4})
    backend, session = opened(path), opened.sessions[0]
    weights = file_of(path, "sentiment")
    weights.write_bytes(weights.read_bytes()[:200])
    session.hold()
    first = backend.submit(backend.find("news"), [(1,)], deadline=FAR)
    assert session.reached.wait(30)
    bad = backend.submit(backend.find("sentiment"), [IDS], deadline=FAR)
    good = backend.submit(backend.find("news"), [IDS], deadline=FAR)
    session.release()
    with pytest.raises(ModelUnavailable, match=r"'sentiment' version 1 cannot be loaded: .*adapter_model\.safe"):
        bad.result(30)
    np.testing.assert_allclose(good.result(30)[0], logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)
    assert first.result(30)


def test_clients_are_told_what_is_wrong_but_not_where_the_server_keeps_it(tmp_path, opened, caplog):
    path = served_set(tmp_path / "set", {"news": 3, "sentiment": 4})
    backend = opened(path)
    file_of(path, "news").write_bytes(b"")
    manifest = AdapterSetFolder(path).folder("sentiment", 1) / "manifest.json"
    manifest.write_text("{")
    (path / "base/tokenizer.json").write_text("{")
    told = []
    for act in (lambda: ask(backend, "news"), lambda: backend.load("news"), lambda: ask(backend, "sentiment"),
                lambda: backend._encoders.ids("goal", max_length=5)):  # fmt: skip
        with pytest.raises(ModelUnavailable) as met:
            act()
        told.append(str(met.value))
    told.append(next(facts.reason for facts in backend.models() if facts.name == "sentiment"))
    assert told[0].startswith("'news' version 1 cannot be loaded: adapters/news/1/adapter_model.safetensors is not a")
    assert told[4].startswith("adapters/sentiment/1/manifest.json is not the manifest of a LoRA delta")
    assert not [one for one in told if str(tmp_path) in one]
    assert str(file_of(path, "news")) in caplog.text
    assert str(manifest) in caplog.text


def test_a_delta_that_grew_beyond_what_a_slot_holds_is_not_read(tmp_path, opened, monkeypatch):
    monkeypatch.setattr("compress.adapters.set_file.HEADER_BYTES", 4096)
    path = served_set(tmp_path / "set", {"news": 3})
    backend, weights = opened(path), file_of(path, "news")
    assert weights.stat().st_size < SetFile.read(path).delta_bytes < 20_000
    weights.write_bytes(bytes(20_000))
    with pytest.raises(ModelUnavailable, match=r"has more than .* bytes, which no usable file of this kind has"):
        ask(backend, "news")


def test_a_delta_that_is_mended_answers_again(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3})
    backend, weights = opened(path), file_of(path, "news")
    whole = weights.read_bytes()
    weights.write_bytes(b"")
    with pytest.raises(ModelUnavailable):
        ask(backend, "news")
    weights.write_bytes(whole)
    np.testing.assert_allclose(ask(backend, "news"), logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)


def test_a_removed_adapter_that_is_loaded_answers_on_and_another_one_is_unknown(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3, "sentiment": 4})
    backend = opened(path)
    ask(backend, "news")
    not_loaded = backend.find("sentiment")
    for name in ("news", "sentiment"):
        AdapterSetFolder(path).remove(name)
    np.testing.assert_allclose(ask(backend, "news"), logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)
    with pytest.raises(UnknownVersion, match="adapter 'sentiment' has no version 1: it has none"):
        backend.submit(not_loaded, [IDS], deadline=FAR).result(30)


def test_a_version_that_is_replaced_under_way_is_not_answered_by_the_new_one(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3})
    backend = opened(path)
    facts, folder = backend.find("news"), AdapterSetFolder(path).folder("news", 1)
    (folder / "added").write_text("")
    with pytest.raises(ModelUnavailable, match="was just replaced: send the request again"):
        backend.submit(facts, [IDS], deadline=FAR).result(30)
    np.testing.assert_allclose(ask(backend, "news"), logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)


def test_an_adapter_whose_folder_cannot_be_read_fails_its_own_rows_alone(tmp_path, opened, monkeypatch):
    def refuse(folder, name):
        raise AdapterError(f"{name} cannot be read: Too many open files.")

    backend = opened(served_set(tmp_path / "set", {"news": 3, "sentiment": 4}))
    ask(backend, "news")
    news, sentiment = backend.find("news"), backend.find("sentiment")
    monkeypatch.setattr(AdapterSetFolder, "versions", refuse)
    bad, good = (backend.submit(facts, [IDS], deadline=FAR) for facts in (sentiment, news))
    with pytest.raises(ModelUnavailable, match=r"'sentiment' version 1 cannot be loaded: .* Too many open files"):
        bad.result(30)
    np.testing.assert_allclose(good.result(30)[0], logits_by_hand(IDS, 3), rtol=1e-4, atol=1e-5)


def test_no_room_for_an_adapter_is_said_so(tmp_path, opened, monkeypatch):
    def no_space(folder, **_):
        raise AdapterError("it cannot be read") from OSError(errno.ENOSPC, "No space left on device")

    def no_memory(folder, **_):
        raise MemoryError("128 MB")

    backend = opened(served_set(tmp_path / "set"))
    for failing in (no_space, no_memory):
        monkeypatch.setattr(set_backend, "read_delta", failing)
        with pytest.raises(OutOfSpace, match="there is no room to load 'news' version 1"):
            ask(backend, "news")
    monkeypatch.undo()
    assert ask(backend, "news").shape == (3,)


def test_an_unloaded_adapter_is_refused_and_a_loaded_one_was_read(tmp_path, opened):
    path = served_set(tmp_path / "set", {"news": 3, "sentiment": 4})
    backend = opened(path)
    backend.unload("news")
    with pytest.raises(ModelUnavailable, match="'news' was unloaded"):
        ask(backend, "news")
    with pytest.raises(ModelUnavailable, match="'news' was unloaded"):
        backend.encode(backend.find("news"), "goal")
    file_of(path, "news").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="'news' version 1 cannot be loaded"):
        backend.load("news")
    assert backend.find("news").state == "UNAVAILABLE"
    backend.load("sentiment", 1)
    assert ask(backend, "sentiment").shape == (3,)


def test_the_base_answers_with_its_own_head(tmp_path, opened):
    head = OwnHead(task="text-classification", labels=("no", "yes"), max_length=32)
    path = served_set(tmp_path / "set", own_head=head)
    zero, one = np.zeros((WIDTH, WIDTH), np.float32), np.eye(WIDTH, dtype=np.float32)
    layers = {
        "classifier.dense": Layer(one, zero[0]),
        "classifier.out_proj": Layer(one[:2], np.array([1, 2], np.float32)),
    }
    write_own_head(path, SetFile.read(path), layers)
    backend = opened(path)
    np.testing.assert_allclose(
        ask(backend, "base"), EMBEDDING[list(IDS)].mean(axis=0)[:2] + np.array([1, 2]), atol=1e-5
    )
    assert ask(backend, "news").shape == (3,)
    assert backend.statistics().slots_used == 1


def test_a_graph_that_quantizes_by_batch_runs_one_row_at_a_time(tmp_path):
    class ByBatch(HandSession):
        def predict(self, batch, adapter_index, tables):
            logits = super().predict(batch, adapter_index, tables)
            return np.round(logits / (scale := np.abs(logits).max() / 127)) * scale

    session = ByBatch()
    backend = SetBackend(served_set(tmp_path / "set"), session)
    backend.submit(backend.find("news"), [IDS] * 5, deadline=FAR).result(30)
    assert session.shapes[-5:] == [(1, 4)] * 5
    backend.stop()


def test_a_graph_that_does_not_runs_rows_together(tmp_path, opened):
    backend = opened(served_set(tmp_path / "set"))
    backend.submit(backend.find("news"), [IDS] * 5, deadline=FAR).result(30)
    assert opened.sessions[0].shapes[-1] == (5, 4)


def test_a_folder_that_is_no_set_is_refused(tmp_path):
    with pytest.raises(AdapterError, match=r"is not an adapter set: it has no adapter_set.json"):
        SetBackend(tmp_path, HandSession())


def test_one_slot_is_too_few(tmp_path):
    with pytest.raises(ConfigurationError, match="slots is 1: at least 2 are needed"):
        open_set(served_set(tmp_path / "set"), threads=1, slots=1)

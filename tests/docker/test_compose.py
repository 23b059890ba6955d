"""compose.yaml and prometheus.yml, parsed: what they promise, and that they fit each other and the image."""

import re
from typing import Any

import pytest
import yaml

from tests.docker.instructions import DOCKER, only, read_stages

SERVICES = ("server", "prometheus")


def read(name: str) -> Any:
    return yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read("compose.yaml")["services"][name]
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_write_nowhere_and_do_nothing_special(name):
    said = service(name)
    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert all(mount.startswith("/tmp:size=16m") for mount in said["tmpfs"])
    assert {"privileged", "cap_add", "user", "network_mode", "pid"}.isdisjoint(said)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded(name):
    said = service(name)
    assert re.fullmatch(r"\d+[mg]", default(said["mem_limit"]))
    assert said["pids_limit"] > 0
    assert said["logging"]["options"]["max-size"] == "10m"


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_open_to_this_machine_only(name):
    assert all(port.startswith("127.0.0.1:") for port in service(name)["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_version(name):
    assert re.search(r":v?\d+\.\d+\.\d+$", service(name)["image"])


def test_the_set_is_mounted_read_only_where_the_image_expects_it():
    last = read_stages("serve")[-1]
    mounts = {mount["target"]: mount for mount in service("server")["volumes"]}
    (where,) = only(last, "CMD").as_list()
    assert mounts[where]["read_only"] is True
    assert mounts[where]["bind"] == {"create_host_path": False}
    assert default(mounts[where]["source"]) == "../runs/adapters/set"
    assert service("server")["command"][0] == where


def test_the_server_has_as_many_threads_as_processors():
    said = service("server")
    assert said["command"][said["command"].index("--threads") + 1] == said["cpus"]


def test_the_engine_waits_longer_than_the_server_drains():
    from inspect import signature

    from compress.cli.serving import serve

    grace = int(service("server")["stop_grace_period"].removesuffix("s"))
    assert grace > signature(serve).parameters["drain_seconds"].default


def test_the_image_is_built_from_the_dockerfile_that_is_there():
    built = service("server")["build"]
    assert (DOCKER / built["context"] / built["dockerfile"]).resolve() == DOCKER / "serve.Dockerfile"


def test_prometheus_asks_the_server_for_its_metrics():
    (job,) = read("prometheus.yml")["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    name, port = target.split(":")
    assert name in read("compose.yaml")["services"]
    assert port == only(read_stages("serve")[-1], "EXPOSE").rest
    assert service(name)["ports"][0].endswith(f":{port}")
    assert job["metrics_path"] == "/metrics"


def test_every_file_that_is_mounted_is_there():
    mounts = [mount for name in SERVICES for mount in service(name)["volumes"] if mount["type"] == "bind"]
    beside = [mount["source"] for mount in mounts if not mount["source"].startswith("$")]
    assert beside == ["./prometheus.yml"]
    assert (DOCKER / beside[0]).is_file()
    volumes = [mount["source"] for name in SERVICES for mount in service(name)["volumes"] if mount["type"] == "volume"]
    assert volumes == list(read("compose.yaml")["volumes"])


def default(text: str) -> str:
    """`${NAME:-value}` → value."""
    found = re.fullmatch(r"\$\{\w+:-(.*)\}", text)
    return found[1] if found else text

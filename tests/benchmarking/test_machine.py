import json

import pytest

from compress.benchmarking import machine
from compress.benchmarking.machine import Machine, environment, fingerprint, instruction_sets, quota_cores, this_machine

X86 = "model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512_vnni amx_tile\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n"


def test_the_instruction_sets_of_x86_and_arm_are_read():
    assert instruction_sets(X86) == ("avx2", "avx512_vnni")
    assert instruction_sets(ARM) == ("dotprod", "i8mm")
    assert instruction_sets("") == ()


@pytest.mark.parametrize(("said", "cores"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("max", None)])
def test_a_quota_is_counted_in_cores(said, cores):
    assert quota_cores(said) == cores


@pytest.mark.parametrize(("sets", "has"), [(("avx2",), False), (("avx2", "avx_vnni"), True), (("dotprod",), True)])
def test_int8_products_need_vnni_or_dotprod(sets, has):
    assert Machine("p", "x86_64", sets, 2, None, 8).int8_products is has


def test_this_machine_has_a_name_and_cores():
    assert this_machine().processor
    assert this_machine().cores >= 1
    assert json.dumps(environment())


def test_the_fingerprint_stays_and_changes_with_a_librarys_version(monkeypatch):
    first = fingerprint()
    assert fingerprint() == first
    monkeypatch.setattr(machine, "_version", lambda library: "0.0")
    assert fingerprint() != first

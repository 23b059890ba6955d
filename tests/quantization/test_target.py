import pytest

from compress.quantization.target import cpu_of, needs_reduced_range


@pytest.mark.parametrize(
    ("architecture", "sets", "cpu"),
    [
        ("x86_64", ("avx2",), "avx2"),
        ("x86_64", ("avx2", "avx_vnni"), "avx_vnni"),
        ("x86_64", ("avx2", "avx512f"), "avx512"),
        ("x86_64", ("avx2", "avx512f", "avx512_vnni", "avx512_bf16"), "avx512_vnni"),
        ("x86_64", ("avx2", "avx512f", "avx512_vnni", "amx_int8"), "amx"),
        ("aarch64", ("dotprod",), "arm64"),
        ("arm64", (), "arm64"),
        ("x86_64", (), None),
    ],
)
def test_a_machine_is_named_by_its_best_instructions_for_int8(architecture, sets, cpu):
    assert cpu_of(architecture, sets) == cpu


def test_only_x86_without_vnni_saturates():
    cpus = ("avx2", "avx512", "avx_vnni", "avx512_vnni", "amx", "arm64")
    assert [cpu for cpu in cpus if needs_reduced_range(cpu)] == ["avx2", "avx512"]

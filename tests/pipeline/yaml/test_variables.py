import pytest

from compress.pipeline.yaml.variables import VariableError, filled_in, has_variable

ENVIRON = {"HOME": "/home/a", "EMPTY": "", "TRICKY": "${env:HOME}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:HOME}", "/home/a"),
        ("${env:HOME}/data/${env:HOME}", "/home/a/data//home/a"),
        ("${env:MISSING:-7}", "7"),
        ("${env:EMPTY:-7}", "7"),
        ("${env:MISSING:-}", ""),
        ("${env:MISSING:-a:-b c}", "a:-b c"),
        ("$${env:HOME}", "${env:HOME}"),
        ("costs 5$ or $HOME", "costs 5$ or $HOME"),
        ("${env:TRICKY}", "${env:HOME}"),
    ],
)
def test_a_variable_is_filled_in_once(text: str, expected: str) -> None:
    assert filled_in(text, ENVIRON) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env:MISSING}", "the environment variable 'MISSING' is not set"),
        ("${env:EMPTY}", "the environment variable 'EMPTY' is empty"),
        ("${HOME}", r"'\$\{HOME\}' is no variable"),
        ("${env:}", "is no variable"),
        ("${env:1A}", "is no variable"),
        ("${env:HOME", "is no variable"),
    ],
)
def test_a_variable_that_cannot_be_filled_in_says_why(text: str, message: str) -> None:
    with pytest.raises(VariableError, match=message):
        filled_in(text, ENVIRON)


def test_text_without_a_variable_is_known_as_such() -> None:
    assert not has_variable("$5 {a}")
    assert has_variable("a${env:B}")

"""The text of server.properties."""

from deploy.broker.properties import server_properties


def test_given_properties_win() -> None:
    """A test may turn a setting of ours into another."""
    text = server_properties(9092, 9093, "log", {"num.io.threads": "7"})
    assert [line for line in text.splitlines() if line.startswith("num.io.threads")] == [
        "num.io.threads=7"
    ]


def test_values_are_plain_ascii_whatever_they_hold() -> None:
    """Java reads the file as Latin-1 and backslashes as escapes: both are written as escapes."""
    text = server_properties(9092, 9093, "log", {"sasl": 'a="é\\𝄞"'})
    assert 'sasl=a="\\u00e9\\u005c\\ud834\\udd1e"\n' in text
    assert text.isascii()

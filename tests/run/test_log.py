import logging

from kt2t.run.log import SHOWN, LogFormatter, is_new


def test_details_stand_below_their_line():
    record = logging.makeLogRecord({"msg": "%d weights", "args": (2,), "levelname": "INFO", "details": ["a", "b"]})
    first, *rest = LogFormatter().format(record).splitlines()
    assert first.endswith(" INFO 2 weights") and first[:2] == "20" and rest == ["    a", "    b"]
    plain = logging.makeLogRecord({"msg": "no more", "levelname": "WARNING"})
    assert LogFormatter().format(plain).endswith(" WARNING no more")


def test_what_a_terminal_has_shown_is_told_apart():
    assert is_new(logging.makeLogRecord({"msg": "new"})) and not is_new(logging.makeLogRecord({"msg": "seen", **SHOWN}))

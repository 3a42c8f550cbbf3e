"""What access files say, and all that is told of those with something wrong in them, by the cases of Rust's tests."""

import importlib
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth

from zsvc.access.file import Client, Read, read
from zsvc.access.follow import Due, Followed
from zsvc.access.toml import Toml, TomlError, Value
from zsvc.identity import Identity
from zsvc.io.keys import check_key, public_key_of

ONE = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
TWO = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


def reading(folder: Path, text: str | bytes) -> Read:
    path = folder / "access.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path)


def told(folder: Path, text: str | bytes) -> list[str]:
    """Returns what is told of a text with mistakes: each line without the name of the file."""
    found = reading(folder, text)
    assert found.clients is None
    return str(found.error).replace(f"{folder / 'access.toml'}:", "").split("\n")


def test_a_file_says_who_the_clients_are(tmp_path: Path) -> None:
    public, _ = zmq.auth.create_certificates(tmp_path, "auditor")
    found = reading(
        tmp_path,
        f"""# Who may call.
[clients.desk]
keys = ["{ONE}", "{TWO}"]
roles = ["trader", "admin"]

[clients."the auditor"]
key_files = ["auditor.key"]
expires = 2027-01-31T01:00:00+01:00
""",
    )
    key = zmq.auth.load_certificate(public)[0].decode()
    assert found.clients == [
        Client(Identity("desk", ["admin", "trader"]), (ONE, TWO)),
        Client(Identity("the auditor"), (key,), 1_801_353_600),
    ]
    assert found.key_files == [tmp_path / "auditor.key"]
    assert reading(tmp_path, "[clients]\n").clients == [], "none is let in"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["1:1: this file has no clients; write `[clients.NAME]` for each, or `[clients]` alone to let none in"]),
        (
            '[client.desk]\nkeys = ["ONE"]\n[clients.desk]\nkey = ["ONE"]\nkeys = ["ONE"]\nrole = ["a"]\ncolour = 1\n',
            [
                "1:2: there is no key `client` here; did you mean `clients`?",
                "4:1: there is no key `key` here; did you mean `keys`?",
                "6:1: there is no key `role` here; did you mean `roles`?",
                "7:1: there is no key `colour` here; there are `keys`, `key_files`, `roles`, `expires`",
            ],
        ),
        (
            '[clients.a]\nkeys = ["ONE", "ONE"]\n[clients.b]\nkeys = ["TWO", "ONE"]\n',
            [
                "2:53: this client has this key already; leave it out",
                "4:53: the client `a` has this key, too; give each client keys of its own, so that they can be told "
                "apart",
            ],
        ),
        (
            '[clients.a]\nkeys = ["ONE"]\n[clients.a]\nkeys = ["TWO"]\n',
            ["3:10: duplicate key; leave one of the two out: a client has one table, with all of its keys"],
        ),
        (
            '[clients]\na = 1\n[clients.b]\nkeys = "ONE"\nroles = ["ok", 7, ""]\n[clients.c]\nkeys = ["short"]\n'
            'expires = 2027-01-31\n[clients.d]\nkeys = ["TWO"]\nexpires = "tomorrow"\n[clients.""]\nkeys = ["ONE"]\n'
            "[clients.e]\nroles = []\n",
            [
                "2:5: a client is a table; write `[clients.a]`, and its keys below",
                '4:8: this must be a list of strings; write `["…"]`',
                "5:16: this must be a string; write it between quotes",
                "5:19: a role can't be empty; write it as `@roles` in the schema has it",
                "7:9: a key has 40 characters of Z85, and this text has 5; copy the public key from a file of "
                "`zsvc keygen`, or name that file by `key_files`",
                "8:11: this must be a date and a time with an offset; write it as `2027-01-31T00:00:00Z`, without "
                "quotes",
                "11:11: this must be a time; write it as `2027-01-31T00:00:00Z`, without quotes",
                "12:10: a name can't be empty; give the client another name",
                '14:10: the client `e` has no key; write `keys = ["…"]` or `key_files = ["….key"]`, or leave the '
                "client out",
            ],
        ),
        (
            '[clients.a]\nkeys = ["ONE"]\nexpires = 2027-02-30T00:00:00Z\n',
            ["3:11: there is no such time; write it as `2027-01-31T00:00:00Z`, without quotes"],
        ),
        (
            '[clients.a]\nkeys = ["ONE"]\nroles = ["a\\u0007"]\n',
            ["3:10: a role can't have control characters; write it as `@roles` in the schema has it"],
        ),
    ],
)
def test_all_mistakes_are_told_with_their_places(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert told(tmp_path, text.replace("ONE", ONE).replace("TWO", TWO)) == lines


def test_what_is_no_toml_is_told_with_its_place(tmp_path: Path) -> None:
    (line,) = told(tmp_path, "[clients.a]\nkeys = [\n[clients.b\n")
    assert line.startswith("3:2: ")
    assert "write it as TOML" in line
    assert told(tmp_path, b"[clients.a]\n# \xff\n") == ["2:3: this file is not UTF-8; save it as UTF-8"]
    assert not reading(tmp_path, "[clients.a]\n").is_unread, "it is wrong until it changes"
    none = read(tmp_path / "none.toml")
    assert none.is_unread
    assert "none.toml` can't be read: No such file or directory (os error 2)" in str(none.error)


def test_a_key_that_is_none_is_not_repeated_in_what_is_told(tmp_path: Path) -> None:
    secret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c"  # One character is missing.
    (line,) = told(tmp_path, f'[clients.a]\nkeys = ["{secret}"]\n')
    assert secret[:8] not in line


def test_a_key_file_that_can_not_be_read_is_told_and_still_followed(tmp_path: Path) -> None:
    found = reading(tmp_path, '[clients.a]\nkey_files = ["later.key"]\n')
    assert ":2:14: the key file `" in str(found.error)
    assert "later.key` can't be read" in str(found.error)
    assert found.key_files == [tmp_path / "later.key"]
    assert found.is_unread


def test_very_many_mistakes_are_told_in_part(tmp_path: Path) -> None:
    lines = told(tmp_path, "\n".join(f"k{number} = 1" for number in range(2_000)))
    assert len(lines) == 50
    assert lines[49].startswith("50:1: ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('curve\n    public-key = "x"\n', "line 2 has no key: a key has 40 characters of Z85, and this text has 1"),
        (f'curve\n    public-key = "{ONE}"\n    public-key = "{ONE}"\n', "line 3 has a second `public-key`"),
        (f'curve\n    public-key = "{ONE}\n', "the value in line 2 does not end with the quote that it begins with"),
        ("curve\n    public-key: 5\n", "line 2 is neither a section nor `name = value`"),
        ("metadata\n", "there is no `public-key` or `secret-key` in a section `curve`"),
        (
            f'curve\n    public-key = "{TWO}"\n    secret-key = "{"0" * 40}"\n',
            "its `public-key` does not belong to its",
        ),
        ("\xff" * 40_000, "it is no text of up to 65536 bytes"),
    ],
)
def test_what_is_no_file_of_keys(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no file of keys: ") as caught:
        public_key_of(path)
    assert why in str(caught.value)


def test_keys_are_read_as_pyzmq_reads_them(tmp_path: Path) -> None:
    public, secret = zmq.auth.create_certificates(tmp_path, "a")
    assert public_key_of(Path(public)) == public_key_of(Path(secret)) == zmq.auth.load_certificate(public)[0].decode()
    for text, why in (
        (40 * "#", "from character 1 on"),
        (39 * "0" + "é", "this text has 41"),
        (39 * "0" + "|", "40 on"),
    ):
        with pytest.raises(ValueError, match=why):
            check_key(text)


# ---- TOML

TOML = '''# A comment
title = "a\\tb\\u00e9\\U0001F600" # after it
"quoted key" = 'li\\teral'
long = """
one \\
   two""\\"" """
lit = \'\'\'
x'y\'\'\'\'
a.b.c = 1
a.b.d = [1, 2.5, -3e7, 0x1F, true, inf, [ "x", ], # in it
  {x = 1, y.z = "w", w = {}}]
when = 2027-01-31T00:00:00Z
whens = [2027-01-31 01:02:03.25+01:00, 2027-01-31, 2027-01-31T10:00:00, 10:11:12]
[clients . desk]
keys = []
[clients.desk.more]
[clients]
z = {}
[[list]]
n = 1
[[list]]
[list.in]
m = "é"
'''


def plain(value: Value) -> Any:
    """Returns a value as what can be compared with the standard library's."""
    if value.kind == "table":
        return {name: plain(it) for name, (_, it) in value.table.items()}
    if value.kind == "array":
        return [plain(it) for it in value.items]
    return value.text if value.kind == "string" else value.kind


def plain_of(value: Any) -> Any:
    """Returns what the standard library has read in the same form."""
    if isinstance(value, dict):
        return {name: plain_of(it) for name, it in value.items()}
    if isinstance(value, list):
        return [plain_of(it) for it in value]
    return value if isinstance(value, str) else "other" if isinstance(value, bool | int | float) else "time"


def here(text: str) -> Any:
    """Returns what is read here; `None` of what is no TOML."""
    toml = Toml(text)
    try:
        document = toml.read()
    except TomlError:
        return None
    return None if toml.twice else plain(document)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the standard library reads TOML from 3.11 on")
def test_toml_is_read_as_the_standard_library_does() -> None:
    tomllib: Any = importlib.import_module("tomllib")

    def there(text: str) -> Any:
        try:
            return plain_of(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, ValueError, RecursionError):
            return None

    assert here(TOML) == there(TOML)
    assert here(TOML) is not None
    dice, lines = random.Random(11), TOML.splitlines(keepends=True)
    alphabet = "[]{}=.,'\"\\#\n\r\tab1 -_:TZ+é\x00"
    for _ in range(3_000):
        text = "".join(dice.sample(lines, dice.randrange(1, 8))) if dice.random() < 0.7 else TOML
        for _ in range(dice.randrange(4)):
            at = dice.randrange(len(text) + 1)
            text = text[:at] + dice.choice(["", dice.choice(alphabet)]) + text[at + dice.randrange(2) :]
        # The library replaces these beforehand.
        if "\r" not in text.replace("\r\n", ""):
            assert here(text) == there(text), text


def test_what_some_editors_begin_a_file_with_is_passed_over() -> None:
    assert here("\ufeff" + TOML) == here(TOML)


@pytest.mark.parametrize("when", ["07:00", "07:00:00", "2027-01-31", "2027-01-31T00:00:00"])
def test_a_time_without_its_offset_is_told(tmp_path: Path, when: str) -> None:
    lines = told(tmp_path, f"[clients.desk]\nkeys = []\nexpires = {when}\n")
    assert any("3:11: this must be a date and a time with an offset" in line for line in lines), lines


def test_names_of_thousands_of_parts_are_told(tmp_path: Path) -> None:
    for text in (f"x = {{{'a.' * 3_000}a = 1}}\n", f"[{'a.' * 3_000}a]\n"):
        assert any("nested too deep" in line for line in told(tmp_path, text))


# ---- following


def test_a_file_is_due_once_it_has_changed_and_stays_as_it_is(tmp_path: Path) -> None:
    path, other = tmp_path / "followed", tmp_path / "other"
    path.write_text("one")
    followed = Followed([path])
    assert [followed.due(), followed.due()] == [None, None]
    path.write_text("three")
    assert followed.due() is None
    path.write_text("threefold")
    assert followed.due() is None, "it was written to meanwhile"
    assert followed.due() is Due.CHANGED
    followed = Followed([path])
    other.write_text("threefoil")
    other.replace(path)
    assert [followed.due(), followed.due()] == [None, Due.CHANGED], "another file is in its place"
    followed = Followed([path])
    path.unlink()
    assert [followed.due(), followed.due()] == [None, Due.CHANGED], "it is gone"
    followed = Followed([path, tmp_path / "none"])
    assert followed.due() is None
    (tmp_path / "none").write_text("")
    assert [followed.due(), followed.due()] == [None, Due.CHANGED], "it is there"


def test_what_could_not_be_read_is_due_again_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "unread"
    path.write_text("one")
    followed = Followed([path])
    followed.unread()
    assert [followed.due() for _ in range(5)] == [None, None, None, Due.AGAIN, Due.AGAIN]
    path.write_text("three")
    assert [followed.due(), followed.due()] == [None, Due.CHANGED]

"""Keys as they travel."""

from shared.oci.digest import Digest
from shared.store.keys import Keys


def test_keys_travel_as_row_binary() -> None:
    keys = Keys({"name": str, "scan": int}, [("ab", 1), ("", 2**64 - 1)])
    assert keys.structure == ["name String", "scan UInt64"]
    assert keys.body() == b"\x02ab" + (1).to_bytes(8, "little") + b"\x00" + b"\xff" * 8


def test_a_digest_is_its_32_bytes() -> None:
    digest = Digest.of(b"x")
    keys = Keys({"digest": Digest}, [(digest,)])
    assert keys.structure == ["digest FixedString(32)"]
    assert keys.body() == digest.raw


def test_a_long_name_has_a_long_length_and_counts_bytes() -> None:
    assert Keys({"name": str}, [("é" * 150,)]).body() == b"\xac\x02" + "é".encode() * 150


def test_as_literals_no_name_leaves_its_quotes() -> None:
    keys = Keys({"name": str, "scan": int}, [("it's", 1), ("back\\slash'", 2)])
    assert keys.literals() == r"(('it\'s', 1), ('back\\slash\'', 2))"


def test_as_a_literal_a_digest_is_its_bytes_again() -> None:
    digest = Digest.of(b"x")
    literal = Keys({"digest": Digest}, [(digest,)]).literals()
    assert bytes.fromhex(literal.removeprefix("(('").removesuffix("'))").replace("\\x", "")) == digest.raw

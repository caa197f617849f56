from kt2t.features import Encoded, Text


def test_a_file_is_any_number_of_bytes():
    assert Encoded().shape == (None,) and Encoded().dtype == "uint8" and Encoded().limits == (0, 255)
    assert Encoded() == Encoded() and not Encoded().is_packable


def test_it_stands_in_records_only():
    assert Encoded().is_storage and not Text(9).is_storage

from kt2t.features import Encoded


def test_a_file_is_any_number_of_bytes():
    assert Encoded().shape == (None,) and Encoded().dtype == "uint8" and Encoded().limits == (0, 255)
    assert Encoded() == Encoded() and not Encoded().is_packable

from kt2t import errors


def test_place_path_and_message_stand_in_one_line():
    error = errors.RecipeError("no such option.", path="model.num_head", file="mine.yaml", line=7)
    assert str(error) == "mine.yaml:7: model.num_head: no such option."
    assert str(errors.DataError("empty.")) == "empty."


def test_a_message_that_somebody_else_made_long_is_cut():
    assert str(errors.RunError("x" * 10_000)) == "x" * 10_000
    assert str(errors.RunError("x" * 10**6, file="f")) == f"f: {'x' * 10_000}…"


def test_every_error_has_its_own_exit_status():
    statuses = {
        errors.RecipeError: 2,
        errors.DataError: 3,
        errors.RunError: 4,
        errors.ResourceError: 5,
        errors.NumericsError: 6,
        errors.PeerError: 7,
        errors.StalledError: 7,
        errors.DriftError: 7,
        errors.Kt2tError: 70,
    }
    for cls, status in statuses.items():
        assert cls("x").status == status
    assert issubclass(errors.RecipeError, ValueError) and issubclass(errors.ResourceError, OSError)
    assert issubclass(errors.UnknownNameError, LookupError)


def test_a_long_list_is_shortened():
    assert errors.listed("abc") == "a; b; c"
    assert errors.listed(iter("abcd"), ", ", 3) == "a, b, c and 1 more"
    assert errors.listed([]) == ""

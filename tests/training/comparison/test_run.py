from training.comparison.run import with_callback


def test_a_callback_joins_those_of_the_configuration() -> None:
    given = {"class_path": "package.One"}
    for callbacks, before in (None, []), (given, [given]), ([given], [given]):
        joined = with_callback({"callbacks": callbacks, "max_steps": 3}, "package.Two")
        assert joined == {"callbacks": [*before, {"class_path": "package.Two"}], "max_steps": 3}

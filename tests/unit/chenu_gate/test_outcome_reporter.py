from chenu_gate.outcome_reporter import _linger


def test_who_has_much_to_report_gathers_for_longer_but_never_for_long() -> None:
    lingers = [_linger(reported) for reported in (0, 1, 10, 30, 200)]

    assert lingers == sorted(lingers)
    assert (lingers[0], lingers[-1]) == (0.25, 1.0)

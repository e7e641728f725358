"""Every crash point has a case, and the member that is to pass it runs what passes it."""

from shared.messaging.crash_points import POINTS
from tests.faults.crashes import CASES, MEMBERS, crashes

ROLE_OF = {"relay": "relay", "ingest": "ingest", "command": "api"}


def test_every_crash_point_has_a_case_and_no_other() -> None:
    assert sorted(case.point for case in CASES) == sorted(POINTS)


def test_the_member_of_a_case_has_the_role_in_which_its_point_is_passed() -> None:
    members = {member.name: member for member in MEMBERS}
    for case in CASES:
        assert members[case.member].has(ROLE_OF.get(case.point.partition(".")[0], "work")), case


def test_each_point_is_crashed_at_its_first_tenth_and_hundredth_passing_where_a_process_passes_it_so_often() -> None:
    fewer = {case.point for case in CASES if case.passings != (1, 10, 100)}
    assert fewer == {"stop.begun", "stop.finished"}
    assert len({step.at for step in crashes()}) == 3 * (len(POINTS) - 2) + 2

"""A plan is drawn before anything is done, and the same seed draws the same one."""

from tests.faults.fleet import LAYOUT
from tests.faults.load import stories
from tests.faults.plan import BEYOND_EVERY_LEASE, Step, kills, length, server_away, zombies


def test_the_same_seed_draws_the_same_plan_and_the_same_load() -> None:
    assert kills(LAYOUT, 50, 3) == kills(LAYOUT, 50, 3) != kills(LAYOUT, 50, 4)
    assert zombies(LAYOUT, 8, 3) == zombies(LAYOUT, 8, 3)
    assert server_away("kafka", 3, 60.0) == server_away("kafka", 3, 60.0)
    told = [(s.order.id, s.order.customer.email, s.placed_by, s.resends) for s in stories(300, 3)]
    assert told == [(s.order.id, s.order.customer.email, s.placed_by, s.resends) for s in stories(300, 3)]


def test_a_storm_hits_every_member_and_has_as_many_kills_as_were_asked_for() -> None:
    steps = kills(LAYOUT, 100, 1)
    assert len(steps) == 100
    assert {step.target for step in steps} == {member.name for member in LAYOUT}


def test_a_zombie_sleeps_longer_than_every_lease() -> None:
    steps = zombies(LAYOUT, 7, 1)
    assert {step.target for step in steps} == {member.name for member in LAYOUT}
    assert all(step.seconds >= BEYOND_EVERY_LEASE for step in steps)


def test_the_length_of_a_plan_is_the_end_of_its_last_step() -> None:
    assert length([Step(2.0, "halt", "a", 10.0), Step(3.0, "kill", "b", 1.0)]) == 12.0
    assert length([]) == 0.0


def test_some_orders_are_hot_and_some_are_placed_by_both_ways() -> None:
    told = list(stories(400, 1))
    assert sum(len(story.resends) == 30 for story in told) == 4
    assert any(len(story.placed_by) == 2 for story in told)
    assert {way for story in told for way in story.resends} == {"http", "topic"}

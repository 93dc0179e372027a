"""An office that has Group Policy refreshes it on all hosts; no other does."""

from __future__ import annotations

from datetime import timedelta

from simulated import world_of
from simulated_outage import CALM

from kitlib.simulate.background import background_notes

DOMAIN = CALM.replace("[verdict]", "group_policy = true\n[verdict]")


def policy(world):
    """What background records hold of Group Policy: host → (kind, day in UTC) of each refresh."""
    return {
        host.name: [
            (n.kind, n.time.date())
            for n in background_notes(world, host)
            if n.kind.startswith("policy")
        ]
        for host in world.hosts
    }


def test_only_an_office_that_says_so_has_group_policy(tmp_path):
    assert not any(policy(world_of(tmp_path, CALM)).values())
    world = world_of(tmp_path, DOMAIN)
    assert all(len(notes) > 20 for notes in policy(world).values())
    assert [h.attempts for h in world.hosts] == [h.attempts for h in world_of(tmp_path, CALM).hosts]


def test_news_of_a_policy_reaches_all_hosts_and_other_worlds_on_other_days(tmp_path):
    """A host that sleeps or is off gets it with its next refresh."""
    days = []
    for seed in range(8):
        found = policy(world_of(tmp_path, DOMAIN, seed=seed)).values()
        news = [{day for kind, day in notes if kind == "policy_new"} for notes in found]
        assert len({len(own) for own in news}) == 1, "as many on every host"
        days.append(frozenset(min(own) for own in news if own))
        assert all(max(d) - min(d) <= timedelta(days=3) for d in days if d)
    assert len(set(days)) >= 4

"""Services of several hosts on one store: a sweep belongs to the one whose lease is stored and has not run out."""

from unittest.mock import create_autospec

import pytest

from sweeps.service import sweep_lease
from sweeps.service.sweep_lease import SWEEP_LEASE_SECONDS, SweepLease
from tracking import schema
from tracking.writer import Writer

SHARED = "http://store.example:5000"


@pytest.fixture
def tags():
    """The tags of the sweep, as the store has them."""
    return {}


@pytest.fixture
def lease_of(tags):
    """`lease_of(token)`: the lease of a service on a store that hosts share, or on another one."""

    def make(token, uri=SHARED):
        writer = create_autospec(Writer, instance=True)
        writer.set_tags.side_effect = lambda sweep, written: tags.update(written)
        return SweepLease(uri, token, writer)

    return make


def test_a_sweep_is_begun_by_the_service_whose_claim_is_stored(lease_of, tags):
    first, second = lease_of("a:1:x"), lease_of("b:1:y")
    assert not first.claim("sweep", dict(tags)), "its claim is not stored yet"
    assert not second.claim("sweep", dict(tags)), "the other's claim holds"
    assert first.claim("sweep", dict(tags))


def test_of_two_claims_at_once_the_later_counts(lease_of, tags):
    first, second = lease_of("a:1:x"), lease_of("b:1:y")
    assert not first.claim("sweep", {}) and not second.claim("sweep", {})
    assert not first.claim("sweep", dict(tags)) and second.claim("sweep", dict(tags))


def test_a_store_of_this_machine_needs_no_claim(lease_of, tags, tmp_path):
    assert lease_of("a:1:x", f"sqlite:///{tmp_path / 'mlflow.db'}").claim("sweep", {}) and tags == {}


def test_a_lease_that_has_run_out_leaves_the_sweep_to_other_hosts(lease_of, tags, monkeypatch):
    lease_of("a:1:x").write("sweep")
    same_host, other_host = lease_of("a:2:y"), lease_of("b:1:z")
    assert other_host.held_elsewhere(tags) and not same_host.held_elsewhere(tags), "on one machine the lock decides"
    until = int(tags[schema.LEASE])
    monkeypatch.setattr(sweep_lease, "now_ms", lambda: until + 1)
    assert not other_host.held_elsewhere(tags)


def test_a_lease_is_renewed_long_before_it_runs_out(lease_of, tags, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(sweep_lease.time, "monotonic", lambda: clock[0])
    lease = lease_of("a:1:x")
    lease.renew("sweep")
    assert tags.pop(schema.OWNER) == "a:1:x"
    clock[0] += SWEEP_LEASE_SECONDS / 4
    lease.renew("sweep")
    assert schema.OWNER not in tags
    clock[0] += SWEEP_LEASE_SECONDS / 4
    lease.renew("sweep")
    assert tags[schema.OWNER] == "a:1:x"

"""The id of an instance among others."""

from genesys_gateway.runtime.identity import Identity


def test_a_renewed_identity_is_another_one() -> None:
    identity = Identity()
    before = identity.id
    identity.renew()
    assert identity.id != before


def test_two_processes_never_have_the_same_identity() -> None:
    assert Identity().id != Identity().id

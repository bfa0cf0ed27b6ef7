"""A model of the protocol by which several instances share conversations, channels and deliveries.

It is explored exhaustively.

The files, in reading order:

    explorer             visits every reachable state, and returns the shortest way to a broken promise
    ownership            two instances, one conversation: lease, fence, transactions on their way, adoption, take-over
    budget               two instances, two conversations, three channels: places, sockets, coverage at last
    claims               two instances, one record: claims and calls to the receiver
    scenarios            which rules and faults are explored, and what is expected

``make model`` explores all scenarios, ``make test`` the small ones. ADR 0028 tells what it found.
"""

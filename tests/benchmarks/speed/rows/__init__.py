"""What is measured: each function measures some rows, and yields the figures of one process after the other.

registrations   calls of BOFE, many at once and one alone
events          from the socket to the receiver
subscriptions   until many conversations are followed
starts          from the start until ready
growth          the same beside more and more conversations
"""

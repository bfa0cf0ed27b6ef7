"""In motion: conversations come and go at a given rate, and the simulator's ledger shows how well they are followed.

    loads       what is played, and what is promised under each load
    figures     pure: the figures of a load, from the ledger
    curves      pure: the same over time
    verdict     the figures against what is promised
    picture     the curves as SVG
    watch       the progress, for those who wait
    play        plays one load
    __main__    the command line

Invariant: only processes, TCP and signals. Nothing in here imports the gateway.
"""

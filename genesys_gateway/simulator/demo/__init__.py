"""``demo``: the whole path on one machine, to be watched.

Invariant: it starts real processes, and shares no code with the gateway.

The files, in reading order:

    main                 the command: sets the stage, plays the story, prints the verdict
    story                what is played
    play                 plays it
    parties              contact centre, gateway and BOFE, over HTTP
    stage                folders, ports, processes
    children             child processes
    interrupts           Ctrl-C
    screen               what is printed
    verdict              whether every record arrived once
    afterwards           what to try next
    errors               what can go wrong
"""

"""What one would write instead of the gateway, one short file each, honest and as good as its kind allows.

    record              the communication record, as small as it may be; the same for all
    sdk                 (a) what the Genesys documentation leads to
    requests_websocket  (b) the same on requests and websocket-client
    asyncio_memory      (c) asyncio, everything in memory
    bare_loop           (d) the limit of our libraries: read, parse, post
    bare_flask          (e) the limit of our web server: an answer without any work

Each is a process of its own: `python -m tests.benchmarks.speed.rivals.NAME SIMULATOR HISTORY CLIENT FILE` follows the
conversations that the file names, one a line, until it is killed. None stores anything, asks for names, reconnects,
asks what a gap has hidden, or tries a record twice: what they save by that is the price of the gateway's promises.
"""

"""``check``: looks at everything the gateway needs before it goes live, and says what to mend."""

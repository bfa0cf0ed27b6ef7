"""Is the documentation true? Its references are made from the code, and its commands are run."""

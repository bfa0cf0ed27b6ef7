# gunicorn has no types. Here is what this project uses of it, and nothing else.

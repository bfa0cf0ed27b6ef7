"""The revisions of the tables, one file each; a released revision is never changed."""

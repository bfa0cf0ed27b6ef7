"""The steps by which the tables came to be, one file each; none is changed once it was released."""

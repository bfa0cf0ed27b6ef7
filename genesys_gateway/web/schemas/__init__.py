"""The JSON of those who call us, in marshmallow."""

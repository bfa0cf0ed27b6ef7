"""The JSON of Genesys, in marshmallow."""

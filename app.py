"""The application, for programs that look for it at the top: ``from app import create_app``."""

from genesys_gateway.serving.app import create_app as create_app

"""Names the OAuth client, and where it matters its user, to which Genesys counts the channels of an instance."""

import hashlib
import json

from genesys_gateway.settings import Settings


def client_key(settings: Settings) -> str:
    """A hash that is the same for all instances whose channels Genesys counts together (F12).

    Genesys counts them by user and OAuth client. The user of signed assertions is a setting. Which user an assertion
    from a file or a URL names, is not known before it is used, and may change: there the client alone counts. That may
    count two users together, and then uses fewer channels than Genesys allows, but never more.
    """
    subject = settings.genesys_saml_subject if _signs(settings) else None
    named = [settings.genesys_api_url, settings.genesys_client_id, subject or ""]
    return hashlib.sha256(json.dumps([one.lower() for one in named]).encode()).hexdigest()


def _signs(settings: Settings) -> bool:
    own = settings.genesys_saml_assertion_file is None and settings.genesys_saml_assertion_url is None
    return own and settings.genesys_grant_type == "saml2-bearer" and settings.genesys_saml_key_file is not None

"""What operators see over HTTP, below ``/ops/``: JSON, pages, and the sessions in which a browser reads them.

Invariant: nothing is shown without the role ops. Nothing personal is shown unless an operator reveals it, and nothing
is changed by a GET, or from the page of another site.

The files, in reading order:

    site                 installs everything here; what all answers have in common
    access               admits operators by bearer token or session
    session              sessions in signed cookies
    forms                what a browser sends: forms, and from which site
    login                the form that opens a session, and its end
    templates            the pages, in Jinja's language
"""

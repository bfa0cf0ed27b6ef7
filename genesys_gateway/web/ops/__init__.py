"""What operators see over HTTP, below ``/ops/``: JSON, pages, and the sessions in which a browser reads them.

Invariant: nothing is shown without the role ops. Nothing personal is shown unless an operator reveals it, and nothing
is changed by a GET, or from the page of another site.

The files, in reading order:

    site                 installs everything here; what all answers have in common
    access               admits operators by bearer token or session
    session              sessions in signed cookies
    forms                what a browser sends: forms, and from which site
    login                the form that opens a session, and its end
    query                the query of a list
    api                  JSON for programs
    pages                the overview with its stream, the runbook, and the files that pages load
    lists                the pages of conversations, records and dead letters
    overview             the overview in sections of HTML, rendered once for all who look at it
    stream               sends the sections that changed to the pages that are open
    charts               computes the charts of the last hour
    words                times, durations and numbers for people; titles of troubles
    runbook              docs/runbook.md as HTML
    templating           loads the templates, and what they call
    assets               style sheet, script and icon
    templates            the pages
    static               what ``assets`` serves
"""

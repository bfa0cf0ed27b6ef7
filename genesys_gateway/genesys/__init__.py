"""The client of Genesys Cloud: login, REST calls within the rate limit, WebSockets, and how their answers are read."""

"""Notification channels: which conversation's topic is on which WebSocket, and that there is one at all."""

"""Checks that a deployment of Headway keeps what its contract promises to those who push records."""

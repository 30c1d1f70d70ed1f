"""The gateway: everything a request passes through, from bytes to an explained answer."""

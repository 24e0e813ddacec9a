"""A job: its whole story."""

from tornado.web import url

handlers: list[url] = []

"""The dead letters."""

from tornado.web import url

handlers: list[url] = []

"""The trail: who changed what, by hand."""

from tornado.web import url

handlers: list[url] = []

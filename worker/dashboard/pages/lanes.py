"""The lanes: a table of all, and a page for each."""

from tornado.web import url

handlers: list[url] = []

.PHONY: env test
env: .venv/.stamp
.venv/.stamp: pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install -q -e '.[worker,dev]'
	touch $@
test: env
	.venv/bin/python -m pytest

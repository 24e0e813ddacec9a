"""Redis, the sandbox, workers and Flower as child processes, for `lanes demo`, `lanes up` and tests."""

"""Redis, the sandbox, a worker and Flower as child processes, for the demo and the tests."""

# httpx imports it at its first request. Were that within a pytest in a pytest, which forgets its imports
# again, httpx would go on with two of it, and one's errors are not the other's.
import httpcore  # noqa: F401

pytest_plugins = ["pytester"]

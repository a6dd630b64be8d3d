"""The benchmark: mockbifrost beside a bare uvicorn app that sends the same bytes. Run `python bench/run.py`."""

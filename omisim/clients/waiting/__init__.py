"""Virtual time for every thread of a test: waits move a cloud's clock instead of waiting.

`kernel.py` decides which thread runs and when time moves. The other modules replace the functions that wait: `locks.py`
those of `threading` and `queue`, `threads.py` the start and the end of threads and executor jobs, `loops.py` those of
`select` and `asyncio`, and `clocks.py` those that read or sleep. `watch.py` ends a wait that nothing else can end.
"""

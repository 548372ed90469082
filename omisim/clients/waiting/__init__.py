"""Virtual time for every thread of a test: waits move a cloud's clock instead of waiting.

`kernel.py` decides which thread runs and when time moves; `waits.py` has what it knows of each thread, and
`cloud_time.py` the time that it moves. Most others replace functions that wait: `locks.py` those of `threading` and
`queue`, `threads.py` the start and the end of threads and executor jobs, `processes.py` those of child processes,
`polls.py` and `sockets.py` those that wait for input (`input.py`), `loops.py` those of `selectors` and `asyncio`,
`trio_loop.py` those of trio, `signals.py` alarms, and `clocks.py` those that read a clock or sleep. `patches.py` puts
them in place, and `late_imports.py` in a library that is imported later; `private.py` has the names that they need and
that have no public equivalent. `pacing.py` gives the rate limits of boto3's libraries the cloud's clock. `watch.py`
ends a wait that nothing else can end, and with `outside.py` the wait for a program that polls for ever;
`watch_thread.py` runs the watch of every context in real time.
"""

"""The tables of a cloud and everything that reads, writes, undoes, forks or saves them."""

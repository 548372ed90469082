"""What constraints.txt becomes when newer versions have been tried."""

from __future__ import annotations

from tools.newest import CONSTRAINTS, compare_pins, parse_pins, update_pins

OLD = """# Versions that work.
attrs==26.1.0
colorama==0.4.6; sys_platform == "none"
Flask==3.1.3
six==1.17.0; python_version >= "3"
toml==0.10.2
"""
NEW = parse_pins("Flask==3.2.0\nattrs==26.1.0\nrich==15.0.0\nsix==2.0.0\n")


def test_new_versions_are_compared_with_the_pinned_ones() -> None:
    """A changed version, a new package and one that is gone are named, in one list."""
    assert compare_pins(parse_pins(OLD), NEW) == [
        "Flask==3.2.0 instead of 3.1.3",
        "rich==15.0.0 is not in constraints.txt",
        "six==2.0.0 instead of 1.17.0",
        "toml==0.10.2 is no longer installed",
    ]


def test_new_versions_are_written_beside_the_lines_for_other_platforms() -> None:
    """Comments, markers and lines for other platforms stay; a package that is no longer installed goes."""
    assert update_pins(OLD, NEW) == (
        '# Versions that work.\nattrs==26.1.0\ncolorama==0.4.6; sys_platform == "none"\nFlask==3.2.0\nrich==15.0.0\n'
        'six==2.0.0; python_version >= "3"\n'
    )


def test_constraints_are_written_as_the_script_writes_them() -> None:
    """constraints.txt is sorted and formatted as `python tests/tools/newest.py --write` leaves it."""
    text = CONSTRAINTS.read_text()
    assert update_pins(text, parse_pins(text)) == text

"""The console: a page that shows a cloud, call by call. A server serves it live; `Cloud.report` writes it as a file.

Everything that the page shows is computed here, from the journal, the call log and the rules; its scripts only arrange
it.
"""

from __future__ import annotations

from omisim.cloud.console.actions import describe_actions
from omisim.cloud.console.history import History
from omisim.cloud.console.page import PAGE_POLICY, list_page_files, render_report
from omisim.cloud.console.refusals import describe_refusal
from omisim.cloud.console.view import describe_accounts, describe_resource, describe_view, view_for_report

__all__ = [
    "PAGE_POLICY", "History", "describe_accounts", "describe_actions", "describe_refusal", "describe_resource",
    "describe_view", "list_page_files", "render_report", "view_for_report",
]  # fmt: skip

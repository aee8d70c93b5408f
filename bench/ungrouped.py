"""`python -m bench.ungrouped serve ...`: the `chappe` program with a commit for each unit.

Nobody should run a server like this, so it is no setting: the limits of a group are patched in this process only.
"""

from __future__ import annotations

import sys

from chappe.cli import main
from chappe.storage import group_commit

if __name__ == "__main__":
    for limit in ("UNITS_MAX", "BATCH_MAX"):
        assert hasattr(group_commit, limit), f"group_commit has no {limit} any more: groups would still form"
        setattr(group_commit, limit, 1)
    sys.exit(main())

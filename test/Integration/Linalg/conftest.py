# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Heads that are written in linalg, before and after linalg-flatten-to-gap."""

import sys
from pathlib import Path

# linalg_run.py compiles linalg, lowering.py says how far a result may be off.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Lowering"))

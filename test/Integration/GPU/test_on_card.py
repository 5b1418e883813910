# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""on_card.py, for want of a card on Mesa's device for CPUs."""

import shutil

import device
import on_card
import pytest
from headopt import F16
from lowering import Head, nhwc

HEADS = [
    (Head((17, 7, 7), layers=(9,)), (0, 1, 3)),
    (Head((17, 7, 7), layers=(9,), softmax=True), (1, 3)),
    (nhwc(4, None, None, type=F16), ()),
]


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    device.require_vulkan()
    monkeypatch.setattr(on_card, "list_heads", lambda: iter(HEADS))
    monkeypatch.setattr(on_card, "MAPS", [(1, 3), (7, 7)])
    monkeypatch.setenv("LP_NATIVE_VECTOR_WIDTH", "256")
    monkeypatch.setenv("HEADOPT_VULKAN_DEVICE", "llvmpipe")
    folder = tmp_path / "heads"
    on_card.prepare(folder, "vulkan:8")
    return folder


def test_right(prepared, capsys):
    assert on_card.run(prepared) == 0
    assert capsys.readouterr().out.endswith(
        "3 of 3 heads for vulkan:8 are right\n"
    )


def test_wrong_results_are_found(prepared, capsys):
    shutil.copy(prepared / "1.so", prepared / "0.so")
    assert on_card.run(prepared) == 1
    said = capsys.readouterr().out
    assert said.startswith(HEADS[0][0].label())
    assert said.endswith("2 of 3 heads for vulkan:8 are right\n")


def test_failed_calls_are_found(prepared, monkeypatch, capsys):
    monkeypatch.setenv("HEADOPT_VULKAN_DEVICE", "no such device")
    assert on_card.run(prepared) == 1
    assert capsys.readouterr().out.endswith(
        "0 of 3 heads for vulkan:8 are right\n"
    )

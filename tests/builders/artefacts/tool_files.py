"""Files as ST's tools write them, for the sample denoiser and alone: name -> text."""

from __future__ import annotations

import json

from builders.artefacts.as_json import Q_JSON, c_info
from builders.artefacts.texts import EC_TRACE, MDESC, MPOOL, NETWORK_C, NETWORK_CSV, OPTIONS, PROFILES, TIMING

REPORT = """ST Edge AI Core v2.1.0-20194 329b0e98d
model_fmt : ss/sa per channel
Total number of epochs: 23 of which 3 implemented in software
epoch ID HW/SW/EC Operation (SW only)
epoch 1 HW
epoch 2 -SW- ( Conv )
epoch 3 -SW- ( Conv )
""" + "".join(f"epoch {i} {'-SW- ( Conv )' if i == 21 else 'HW'}\n" for i in range(4, 24))

LOG = "".join(
    f"""Lowering {node} id={number} with Lowerer HW
Lowering Conv ...
HW lowering not done for Conv node={node} because output tensor (id=5{number}) has scale-offset format
Let's try with the next lowerer
Lowering {node} id={number} with Lowerer SW (scale offset)
Standard Software Lowering operations for node {node}
tensor w: 1
tensor h: 1
tensor ch: 257
tensor chin: {chin}
"""
    for node, number, chin in (("Conv2D_23", 80, 257), ("Gemm_28_conv_16", 94, 1024), ("Conv2D_79", 218, 257))
)

ALONE = {
    "c_info.json": json.dumps(c_info()), "network.csv": NETWORK_CSV, "network.c": NETWORK_C, "x.mpool": MPOOL,
    "x.mdesc": MDESC, "profiles.json": PROFILES, "atonn_options.ini": OPTIONS, "x_Q.json": Q_JSON, "board.txt": TIMING,
    "trace.c": EC_TRACE,
}  # fmt: skip

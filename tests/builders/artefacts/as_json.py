"""JSON as ST Edge AI Core writes it, cut short."""

from __future__ import annotations

import json
from typing import Any


def c_info(version: str = "2.2.0-20266 2adc00962", **changes: Any) -> dict[str, Any]:
    """A small c_info.json."""
    conv = {"name": "Conv2D_4", "id": 3, "inputs": [1, 2], "outputs": [], "mapping": "NODE_HW",
            "description": "Node kind=Conv", "attributes": {"HWUnit": "CONV_ACC_V2 0"}}  # fmt: skip
    bias = {"name": "Conv2D_4_off_bias_9", "id": 4, "inputs": [], "outputs": [5], "mapping": "NODE_HW",
            "description": "Node kind=Add"}  # fmt: skip
    softmax = {
        "name": "Softmax_7",
        "id": 6,
        "inputs": [5],
        "outputs": [],
        "mapping": "NODE_SW_INTEGER",
        "type": "Softmax",
    }
    end = {"name": "__NN__RETURN__", "id": 9, "mapping": "NODE_HW", "description": "Node kind=Return"}
    document: dict[str, Any] = {
        "json_schema_version": "2.0",
        "environment": {
            "tools": [
                {"name": "ST.EdgeAI.Core", "version": version,
                 "input_model": {"model_files": [{"name": "m.onnx", "signature": "0x" + "ab" * 16}]}},
                {"name": "ATONN Compiler", "version": "1.1.1-14"},
            ]
        },
        "buffers": [
            {"id": 1, "name": "in", "is_param": False, "shape": [1, 3, 8, 8], "mpool_id": 7, "size_bytes": 192,
             "intq": {"axis": -1, "scales": [0.25], "offsets": [-128]}},
            {"id": 2, "name": "Conv2D_4_weights", "is_param": True, "shape": [16, 3, 3, 3], "mpool_id": 8,
             "size_bytes": 432, "intq": {"axis": 1, "scales": [0.5, 0.125], "offsets": [0, 0]}},
            {"id": 5, "name": "out", "is_param": False, "shape": [1, 16, 8, 8], "mpool_id": 7, "size_bytes": 1024,
             "intq": {"axis": -1, "scales": [0.75], "offsets": [3]}},
        ],
        "graphs": [{
            "nodes": [
                {"name": "epoch_1", "id": 11, "mapping": "NODE_HW", "subgraph_nodes": [conv, bias]},
                {"name": "epoch_2", "id": 12, "mapping": "NODE_SW", "subgraph_nodes": [softmax]},
                {"name": "epoch_3", "id": 13, "mapping": "NODE_SW", "subgraph_nodes": [end]},
            ],
            "original_inputs": [{"name": "x", "shape": [1, 3, 8, 8],
                                 "data_format": {"type": "SIGNED", "size": 8, "scale": [0.25], "zero": [-128]}}],
            "original_outputs": [{"name": "y", "shape": [1, 16], "data_format": {"type": "FLOAT", "size": 32}}],
        }],
        "power_estimates": [{"node_id": 11, "compute_cycles": 100, "max_cycles": 250},
                            {"node_id": 12, "compute_cycles": 7, "max_cycles": 9}],
        "memory_pools": [{"id": 7, "name": "npuRAM5", "size_bytes": 458752, "used_size_bytes": 1216, "address": "x",
                          "attributes": {"byte_width": 8, "freq_ratio": 1.25}}],
    }  # fmt: skip
    return document | changes


Q_JSON = json.dumps(
    {
        "version": "4.0",
        "environment": {"tools": [{"name": "ST.EdgeAI.Core", "version": "2.1.0-20194 329b0e98d"}]},
        "tensors": {"x": {"format": {"params": [[0.5], [3]], "class": "integer", "type": "S8"}}},
        "nodes": {"Conv2D_3": {"names": ["_conv1_out"]}, "Dequantize_2": {"names": ["__FE_GENERATED__"]}},
    }
)

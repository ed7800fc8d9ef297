"""Builds of public projects whose networks are rebuilt here: how many epochs they have, and which need the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from builders.float_yolo import float_yolo, float_yolov8
from builders.networks.audio_nets import (
    groups,
    hazards,
    keywords,
    letters,
    masks,
    opinions,
    signals,
    wake_words,
)
from builders.networks.efficient_nets import food
from builders.networks.float_networks import calculator, falls, sounds_in_float
from builders.networks.landmarks import landmarks
from builders.networks.mobilenets import mobilenet_v1, pruned
from builders.networks.public_nets import gestures, grasps, plate_detector, sounds, squares, touchpad
from builders.networks.small_cnns import digits, faces, handwriting, intrusions, metrics, policy, spoken_words
from builders.networks.stream_nets import DILATIONS, loops, speech, tape
from builders.networks.torch_cnns import eyes
from builders.networks.zoo_cnns import deeplab
from builders.tflite.birds import spectrograms, waves
from builders.tflite.examples import beats, centerface, gauges, persons, pulse, siren, spectra, tiny_yolo
from builders.tflite.faces import batteries, facenet
from builders.tflite.mobile import blazeface, movenet, palms, thermal
from builders.tflite.pyramid import fpnlite
from builders.tflite.yolo import detector, one_map, pose, yolov5
from builders.tflite.yolox import yolox
from npuscope.machine.machine import target, target_of
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


@dataclass(frozen=True)
class PublicBuild:
    """A network as a public project compiled it; `within` is how far the number of epochs is off at most."""

    network: Callable[[], bytes]
    toolchain: str
    epochs: int
    within: float
    on_cpu: Mapping[str, int]
    optimization: str = ""
    scheduler: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def compiled(self, folder: Path) -> Snapshot:
        """The network as it is predicted for this build."""
        return compiled(
            self.network(), folder, self.toolchain, self.optimization, self.scheduler, **self.options
        )


def compiled(
    model: bytes, folder: Path, toolchain: str, optimization: str, scheduler: str = "auto", **options: Any
) -> Snapshot:
    path = folder / "model"
    path.write_bytes(model)
    build = replace(target(toolchain).build, optimization=optimization, scheduler=scheduler, **options)
    return analyse(Session.open(open_model(path), target_of(build)))


TOUCHPAD = {"Concat": 5, "Softmax": 5, "ReduceSum": 10}
BLOBS = {"epoch_controller": True, "input_data_types": ("uint8",)}
ENDS = {"QuantizeLinear": 1, "Transpose": 1, "DequantizeLinear": 1}
PLAIN = {"epoch_controller": True, "input_data_types": ("uint8",), "input_channel_positions": ("chlast",)}
YOLOX = {"DepthToSpace": 2, "Concat": 3, "DequantizeLinear": 3}
UNSIGNED = {**PLAIN, "output_data_types": ("uint8",), "output_channel_positions": ("chlast",)}
FLOATS = {"DequantizeLinear": 2, "Conv": 2, "Cast": 2}

BUILDS: dict[str, PublicBuild] = {
    # 2025-fin-graduate-project/Falling-Detection-STM32
    "movenet": PublicBuild(
        movenet, "3.0", 79, 0.02,
        {"Resize": 3, "DequantizeLinear": 3, "ReduceSum": 1, "QuantizeLinear": 2, "Div": 1}, "0", "auto",
    ),
    # roadtothewest/ProyectoIPD439, n6-allmems-O3
    "blazeface": PublicBuild(
        blazeface, "2.2", 95, 0.04, {"QuantizeLinear": 1, "Transpose": 22, "DequantizeLinear": 4}, "3", "auto",
    ),
    # TitoNicolaDrugman/Advanced-Computer-Architectures-Project, gg-cnn_quantize_random, -O3
    "grasps": PublicBuild(
        grasps, "2.2", 36, 0.03, {**FLOATS, "SpaceToDepth": 2, "DepthToSpace": 2, "Resize": 2}, "3", "auto",
    ),
    # dahuangelululu/dahuange111, n6-allmems-O3
    "plates": PublicBuild(
        plate_detector, "2.2", 237, 0.05,
        {"DepthToSpace": 2, "Concat": 8, "AveragePool": 6, "Transpose": 3, "Slice": 33, "DequantizeLinear": 6,
         "Pow": 3, "Sub": 3, "QuantizeLinear": 6},
        "3", "auto",
    ),
    # Compal-Project-TOM/NUCLEO-N657X0-Q-AI-TEST, sh_240_quant, n6-allmems-O3
    "touchpad": PublicBuild(
        touchpad, "2.2", 123, 0.07,
        {**TOUCHPAD, "DequantizeLinear": 20, "Gather": 10, "QuantizeLinear": 20}, "3", "auto",
    ),
    # the same with 4.0.1: the small steps of its slots share more epochs than the compiler lets them
    "touchpad 4.0": PublicBuild(
        touchpad, "4.0", 87, 0.02, {**TOUCHPAD, "DequantizeLinear": 10, "QuantizeLinear": 10}, "3", "auto",
    ),
    # chen-auspice/AI_Steel_Detection, 256 x 256, 6 classes
    "detector": PublicBuild(
        detector, "2.0", 211, 0.06, {"DepthToSpace": 2, "Concat": 5, "Transpose": 1, "Softmax": 1, "Slice": 2},
    ),
    # NetanelUnger/N6_tof, rps_int8, 4.0.1
    "gestures": PublicBuild(gestures, "4.0", 10, 0.0, {"Cast": 1, "QuantizeLinear": 1, "Softmax": 1}),
    # sijiaohanshusin/NECCS_N647, toy_sound_classifier_int8, 4.0.0
    "sounds": PublicBuild(sounds, "4.0", 6, 0.0, {}),
    # PeleAB/STM32N6-FaceRecognition, Model/st_ai_output: od, reid and fd
    "tiny yolo": PublicBuild(tiny_yolo, "4.0", 11, 0.0, {}, "3", "alt", {**BLOBS, "output_data_types": ("int8",)}),
    "persons": PublicBuild(persons, "4.0", 52, 0.02, {}, "3", "alt", {**BLOBS, "output_data_types": ("uint8",)}),
    "centerface": PublicBuild(
        centerface, "4.0", 72, 0.02, {"Concat": 3, "DepthToSpace": 3, "DequantizeLinear": 4}, "3", "alt",
        {**BLOBS, "output_data_types": ("float32",)},
    ),
    # aleksMuhicFri2/stm32n6-edge-audio-classifier, useful10_yamnet256; its c_info.json has what shares an epoch
    "spectra": PublicBuild(spectra, "4.0", 15, 0.0, {"Transpose": 1, "Softmax": 1, "DequantizeLinear": 1}, "3"),
    # the same project, hazard5v5_other_yamnet1024_int8_nchw_qdq
    "hazards": PublicBuild(
        hazards, "4.0", 34, 0.0, {"DequantizeLinear": 2, "Conv": 1, "QuantizeLinear": 1, "Softmax": 1}, "3"
    ),
    # BCPH357/stm32n6_rppg, network_rppg, n6-allmems-O3
    "pulse": PublicBuild(pulse, "2.2", 5, 0.0, {}, "3", "auto"),
    # Maria0419/stm32n6-model-example
    "squares": PublicBuild(squares, "4.0", 14, 0.0, {}, "default", "auto", {"epoch_controller": True}),
    # sgarper3/stm32n657-audio-edge-ai, 03_siren_detector_single_mic, -O2
    "siren": PublicBuild(siren, "2.2", 14, 0.0, {}, "2", "auto"),
    # AbhiMalappa/tinybench, TC-ResNet8
    "keywords": PublicBuild(keywords, "2.2", 38, 0.03, {"QuantizeLinear": 1}),
    # the same project, kws_dscnn_npu_v2; the Sub behind its stem has an epoch of its own
    "wake words": PublicBuild(wake_words, "2.2", 14, 0.08, {}, "default"),
    # its first version: the sum of two sub-masks has an epoch of its own
    "spoken words": PublicBuild(
        spoken_words, "2.2", 18, 0.06, {"DequantizeLinear": 1, "GlobalAveragePool": 1, "QuantizeLinear": 1}, "default"
    ),
    # andre1012345/STM32N6-digits-recognition, Model/network.c, 4.0.1
    "digits": PublicBuild(digits, "4.0", 8, 0.0, {"Softmax": 1}, "3", "auto", {"epoch_controller": True}),
    # the same project, EfficientNetV2-B1; 19 blocks with squeeze and excitation
    "food 4.0": PublicBuild(
        food, "4.0", 136, 0.01, {"Softmax": 1, "DequantizeLinear": 1}, "3", "auto",
        {"epoch_controller": True, "input_data_types": ("uint8",), "output_data_types": ("float32",)},
    ),
    # LarocheC/stm32n6-deployment-zoo, mnist-12 with its onchip profile; one epoch that takes no cycle is not predicted
    "handwriting": PublicBuild(handwriting, "4.0", 8, 0.13, {}, "3", "auto"),
    # FRIENDA256/stm32N6_AI, tiny_temporal_mixer_8ch of 7 July and of 16 July, n6-allmems-O3
    "signals": PublicBuild(
        lambda: signals(True), "2.2", 30, 0.0,
        {"DequantizeLinear": 3, "AveragePool": 1, "QuantizeLinear": 2, "Conv": 2, "Cast": 2}, "3", "auto",
    ),
    "later signals": PublicBuild(lambda: signals(False), "2.2", 21, 0.05, {}, "3", "auto"),
    # JJtan2002/x-cube-n6-ai-hand-landmarks and PedroNDeOliveira/InternshipST, 033_palm_detection_full_quant_pc_uf_od
    "palms": PublicBuild(
        palms, "2.1", 157, 0.02, {"Transpose": 4, "Resize": 2, "Concat": 1, "DequantizeLinear": 2}, "3", "alt",
        {"epoch_controller": True, "output_data_types": ("float32",)},
    ),
    # STMicroelectronics/x-cube-n6-ai-face-landmarks, face_landmarks_v1_192_int8_pc, Model/face_landmark.c
    "landmarks": PublicBuild(
        landmarks, "2.2", 108, 0.02, {"Transpose": 1, "SpaceToDepth": 1, "DequantizeLinear": 1}, "3", "auto",
        {"epoch_controller": True, "input_data_types": ("uint8",), "output_data_types": ("float32",),
         "input_channel_positions": ("chlast",)},
    ),
    # LarocheC/eco8-neaixt, N6Net v2 with 80 and 96 channels, and with a full band on one block and on all, 4.0.1
    "masks": PublicBuild(masks, "4.0", 23, 0.0, {}, "3", "auto"),
    "masks, mean": PublicBuild(lambda: masks(96, "gap", (1,), True), "4.0", 25, 0.0, {}, "3", "auto"),
    "masks, means": PublicBuild(lambda: masks(96, "gap"), "4.0", 31, 0.0, {}, "3", "auto"),
    "masks, rows": PublicBuild(lambda: masks(96, "pool", (1,), True), "4.0", 31, 0.0, {}, "3", "auto"),
    "masks, all rows": PublicBuild(lambda: masks(96, "pool"), "4.0", 55, 0.0, {}, "3", "auto"),
    # mikekss/tymbal, d44 of its train/export_gather2.py; the frames before are copied first there, one epoch more
    "loops": PublicBuild(
        loops, "4.0", 88, 0.02, {"Concat": 12, "Slice": 42}, "3", "auto", {"epoch_controller": True}
    ),
    # LarocheC/stm32n6-stt, q800_real, which names no scheduler
    "letters": PublicBuild(letters, "4.0", 618, 0.0, {}, "3"),
    # LarocheC/eco8-neaixt, group_probe, n6-noextmem
    "groups": PublicBuild(groups, "4.0", 4, 0.0, {}, "3", "auto"),
    # syafizzudin/trash-object-detection-stm32n6, bestsampah-int8
    "yolov5": PublicBuild(
        yolov5, "2.2", 127, 0.02, {"DepthToSpace": 2, "Concat": 1}, "3", "alt", {"epoch_controller": True},
    ),
    # rzetelnyStudent/stm32ai-modelzoo-services, of 15 July and of 27 April 2025
    "yolox": PublicBuild(lambda: yolox(32), "2.1", 227, 0.0, YOLOX, "3", "default", PLAIN),
    "wide yolox": PublicBuild(lambda: yolox(64), "2.1", 235, 0.01, YOLOX, "3", "default", PLAIN),
    # talgarph1/solar-node-ai-docs, best_full_integer_quant
    "detector 2.1": PublicBuild(
        one_map, "2.1", 158, 0.02, {"DepthToSpace": 2, "Concat": 8, "Slice": 4, "Transpose": 1, "Softmax": 1}, "3", "auto",
        {"epoch_controller": True},
    ),
    # aldo-smart/STM32N6-FaceRecognition, weed_detection, -O0
    "float yolov5": PublicBuild(
        float_yolo, "2.2", 239, 0.0,
        {"Conv": 60, "Sigmoid": 60, "Mul": 69, "Add": 10, "MaxPool": 6, "Pad": 3, "DepthToSpace": 2, "Split": 3, "Pow": 3,
         "Concat": 4},
        "0", "alt", {"epoch_controller": True, "input_data_types": ("float32",)},
    ),
    # s1f102300638/stm32n6570-2-, yolo_deer_best; a Reshape behind a Split has an epoch of its own here
    "float yolov8": PublicBuild(
        float_yolov8, "2.2", 254, 0.004,
        {"Conv": 64, "Sigmoid": 58, "Mul": 58, "Add": 8, "Sub": 2, "Div": 1, "MaxPool": 6, "Pad": 3, "DepthToSpace": 2,
         "Split": 1, "Transpose": 1, "Softmax": 1, "Concat": 8},
        "3", "auto",
    ),
    # 2025-fin-graduate-project/Falling-Detection-STM32, fall_detection_tcn, in float
    "falls": PublicBuild(falls, "3.0", 44, 0.0, {"Conv": 11, "Relu": 12, "Add": 4, "Gather": 1}, "default", "default"),
    # packetqc/AI, run-23, network_regen: an intermediate model compiled again, its weights in float
    "calculator": PublicBuild(
        calculator, "4.0", 7, 0.0, {"DequantizeLinear": 1, "Conv": 3, "QuantizeLinear": 1}, "3", "auto"
    ),
    # sijiaohanshusin/NECCS_N647, toy_sound_classifier before it was quantized
    "sounds in float": PublicBuild(
        sounds_in_float, "4.0", 13, 0.0, {"Conv": 4, "Relu": 3, "MaxPool": 3, "Add": 1, "Softmax": 1}, "default", "auto"
    ),
    # tw13256/Try-to-put-a-model-on-the-NUCLEO-N657X0-Q-, MIT_BIH_quant_114
    "beats": PublicBuild(beats, "2.2", 6, 0.0, {"Softmax": 1}, "3", "auto"),
    # birdnet-team/birdnet-stm32, hybrid and raw models of its release 1.4, and two graphs of its raw model of 1.2
    "spectrograms": PublicBuild(spectrograms, "2.2", 40, 0.0, {**ENDS, "Transpose": 2}, "default"),
    "waves": PublicBuild(lambda: waves(4, "hinge", True), "2.2", 58, 0.02, ENDS, "default"),
    "waves of pairs": PublicBuild(lambda: waves(4, "relu"), "2.2", 58, 0.04, ENDS, "default"),
    "waves, undivided": PublicBuild(lambda: waves(1, "abs"), "2.2", 47, 0.07, ENDS, "default"),
    # exshonda/x-cube-n6-ai-people-detection-tracking_cpu, quantized_tiny_yolo_v2_224_; the number of its last epoch
    "tiny yolo 2.2": PublicBuild(
        tiny_yolo, "2.2", 22, 0.05, {"DequantizeLinear": 1}, "3", "alt", {**BLOBS, "output_data_types": ("float32",)}
    ),
    # manescubogdanarmy/stm32ai-modelzoo-services, network.c of deeplab_v3_mobilenetv2_05_16_320 and of mobilenet_v1_0.25_96
    "segments 2.2": PublicBuild(
        lambda: deeplab(320, 2), "2.2", 66, 0.02, {"Resize": 2, "SpaceToDepth": 3, "DepthToSpace": 3}, "3", "alt", UNSIGNED
    ),
    "five classes": PublicBuild(
        lambda: mobilenet_v1(0.25, 96, 5), "2.2", 34, 0.0, {"Softmax": 1, "DequantizeLinear": 1}, "3", "alt",
        {**BLOBS, "output_data_types": ("float32",)},
    ),
    # yunetn_320_qdq_int8, n6-allmems-O3
    "more faces": PublicBuild(lambda: faces(320, True), "2.2", 72, 0.03, {"DepthToSpace": 2}, "3", "auto"),
    # Magisterka-Adam/zephyr-stm32n6-ai-people-detection, network_yolov8_416.c: auto took the usual scheduler there
    "walkers": PublicBuild(
        lambda: one_map(416, 1), "2.2", 154, 0.0,
        {"DepthToSpace": 2, "Concat": 8, "Slice": 4, "Transpose": 1, "Softmax": 1}, "3", "default", BLOBS,
    ),
    # muazzamaqeel/BA-EmbeddedAI, facenet_512_int_quant, its own profile without an optimization
    "facenet": PublicBuild(
        facenet, "2.2", 260, 0.04, {"DequantizeLinear": 1, "LpNormalization": 1, "QuantizeLinear": 1}, "default", "auto",
        {"input_data_types": ("uint8",)},
    ),
    # KRJames-lab/nucleo-n657x0-q_Time-series-NPU-Accle-Tutorial, npu_conv2d
    "batteries": PublicBuild(batteries, "4.0", 18, 0.0, {}, "default", "auto"),
    # AlexGraefe/STM32N6Example, mobilenet_v2_128_0.5_QDQ_quant with n6-allmems-O3 and with none
    "pruned 2.1": PublicBuild(pruned, "2.1", 56, 0.02, {"Softmax": 1}, "3", "auto"),
    "pruned 3.0": PublicBuild(pruned, "3.0", 56, 0.0, {"Softmax": 1}, "default", "auto"),
    # kons-9/uai-studio, userspace/sample-ai/models/segmentation/network.c, 4.0.0: numbers 63 and 64 run nothing
    "segments": PublicBuild(
        lambda: deeplab(320), "4.0", 62, 0.04, {"SpaceToDepth": 3, "DepthToSpace": 3, "Resize": 2}, "3", "auto", PLAIN
    ),
    # a gauge reader's page of tip_focus_v4_112_int8 on a STM32N6570-DK, 4.0.0: the numbers of its twelve blocks
    "gauges": PublicBuild(
        gauges, "4.0", 70, 0.015, {"Resize": 4, "Concat": 1}, "default", "auto", {"epoch_controller": True}
    ),
    # thc1006/SpikeIDS-MCU, nsl_qcfs_seed0
    "intrusions": PublicBuild(
        intrusions, "3.0", 40, 0.0,
        {"QuantizeLinear": 4, "DequantizeLinear": 5, "Conv": 1, "Cast": 1, "Div": 6, "Clip": 3, "Mul": 6, "Add": 3, "Floor": 3},
        "default", "auto", {"input_data_types": ("float32",), "output_data_types": ("float32",)},
    ),
    # churro206/pib-hand-sim, docs/current-sprint.md; a fourth epoch of the NPU, its last Gemm's
    "policy": PublicBuild(
        policy, "4.0", 8, 0.13,
        {"Sub": 1, "Div": 1, "QuantizeLinear": 1, "DequantizeLinear": 1}, "default", "auto", {"output_data_types": ("float32",)},
    ),
    # open-vela/contest2026_294_shiqian, libs/ai_aton/models: YuNet of 256 x 416, blink_v3, yolov8n_256 pose and palm detection
    "wide faces": PublicBuild(
        lambda: faces(256, across=416), "2.0", 49, 0.0, {"DepthToSpace": 2}, "3", "default", {"epoch_controller": True}
    ),
    "eyes": PublicBuild(lambda: eyes(5, -14), "2.0", 57, 0.0, {}, "3", "default", {"epoch_controller": True}),
    "eyes 4.0": PublicBuild(lambda: eyes(2, 17), "4.0", 54, 0.0, {}, "3", "default", {"epoch_controller": True}),
    "points": PublicBuild(
        pose, "2.0", 223, 0.075,
        {"DepthToSpace": 2, "Concat": 9, "Slice": 6, "Transpose": 1, "Softmax": 1, "DequantizeLinear": 1}, "3", "default",
        {**BLOBS, "output_data_types": ("float32",)},
    ),
    "palms 2.0": PublicBuild(
        palms, "2.0", 155, 0.0, {"Transpose": 4, "Resize": 2, "Concat": 1, "DequantizeLinear": 2}, "3", "default",
        {"epoch_controller": True, "output_data_types": ("float32",)},
    ),
}  # fmt: skip
"""Builds whose epochs of the CPU are predicted one and all."""

UNNAMED: dict[str, PublicBuild] = {
    # ginodecock/fall-guard-pe, yolov8n_256_quant_pc_uf_pose_coco-st; two epochs of its report have no type
    "pose": PublicBuild(
        pose, "2.1", 148, 0.06,
        {"DepthToSpace": 2, "Concat": 8, "Slice": 5, "Transpose": 1, "Softmax": 1, "DequantizeLinear": 1},
    ),
    # LarocheC/eco8-neaixt, LiSenNet with 20 channels, 4.0.1; one Pad of its seven is not placed
    "speech": PublicBuild(
        speech, "4.0", 139, 0.0,
        {"Gather": 3, "Conv": 3, "Concat": 12, "Split": 17, "SpaceToDepth": 6, "DepthToSpace": 9, "Pad": 7}, "3", "auto",
    ),
}  # fmt: skip
"""Builds whose report does not name all of them."""

COUNTED: dict[str, PublicBuild] = {
    # LarocheC/dnsmos_exported, pesq_predictor_int8 with either head, 4.0.1: 12, 0, 21 and 12, 0, 23 of the NPU, hybrid, in software
    "metrics": PublicBuild(metrics, "4.0", 33, 0.0, {}, "default", "auto"),
    "metrics, learned": PublicBuild(lambda: metrics(True), "4.0", 35, 0.0, {}, "default", "auto"),
    # the same project, crop1s_fwd_int8_rows, 4.0.1: 14, 2, 19, three of them poolings by themselves, it seems
    "opinions": PublicBuild(opinions, "4.0", 35, 0.06, {}, "3", "auto"),
    # mikekss/tymbal, d12 of its train/export_t0_diag3.py and d14 of export_t0_diag4.py, 4.0
    "tape": PublicBuild(lambda: tape(24, 3), "4.0", 208, 0.02, {}, "3", "auto"),
    "tape of five taps": PublicBuild(lambda: tape(12, 5), "4.0", 53, 0.04, {}, "3", "auto"),
    # LarocheC/eco8-neaixt, LiSenNet of other sizes, 4.0.1: paper/data/compile_facts.json and LISENNET.md, which give no zero points
    "speech, 24 channels": PublicBuild(lambda: speech(24), "4.0", 131, 0.065, {}, "3", "auto"),
    "speech, 28 channels": PublicBuild(lambda: speech(28), "4.0", 145, 0.0, {}, "3", "auto"),
    "speech, three blocks": PublicBuild(
        lambda: speech(24, 3, (*DILATIONS, 16)), "4.0", 199, 0.03, {}, "3", "auto"
    ),
    "speech by a GRU": PublicBuild(lambda: speech(24, hidden=18), "4.0", 95, 0.045, {}, "3", "auto"),
    "speech by three GRU": PublicBuild(lambda: speech(24, 3, hidden=20), "4.0", 117, 0.02, {}, "3", "auto"),
    "speech, 132 frames": PublicBuild(lambda: speech(24, frames=132), "4.0", 102, 0.1, {}, "3", "auto"),
    # YoujinA-Kaori/stm32n6_thermal_256x192, best_model_int8_cubeai_padded, n6-allmems-O3
    "thermal": PublicBuild(thermal, "2.2", 7, 0.0, {}, "3", "auto"),
    # edgeimpulse/firmware-st-stm32n6, trained: of --Oauto-sched the one that --Oalt-sched names
    "yolov5n": PublicBuild(lambda: yolov5(224, 3, 2), "2.2", 119, 0.02, {}, "3", "alt"),
    # willisk0612/nucleo-getting-started, ssd_mobilenet_v2_fpnlite_035_192: its network.c says that auto took the alt scheduler
    "pyramid": PublicBuild(
        lambda: fpnlite(192), "2.2", 128, 0.02, {}, "3", "auto", {"epoch_controller": True}
    ),
    # ailparper/STM32N647-YOLOV8-FireDetect, best_full_integer_quant
    "fires": PublicBuild(
        lambda: detector(320, 2), "2.0", 221, 0.04, {}, "3", "default", {"epoch_controller": True}
    ),
    # LarocheC/stm32n6-deployment-zoo, face_detection_yunet at 640 x 640: 49 epochs of the NPU and two hybrid ones
    "faces": PublicBuild(faces, "4.0", 51, 0.02, {"DepthToSpace": 2}, "3", "auto"),
    # piergatt/stm32ai-modelzoo-services-generalised_object_detection, image_classification: EfficientNetV2-B1
    "food 2.1": PublicBuild(
        food,
        "2.1",
        282,
        0.004,
        {},
        "3",
        "alt",
        {**PLAIN, "output_data_types": ("float32",)},
    ),
    # vox-haolin/992_PlantDoctor, efficientnet_v2B1_240_fft_qdq_int8
    "food": PublicBuild(food, "2.0", 282, 0.004, {}, "3", "default", {"epoch_controller": True}),
}
"""Builds of which only the number of epochs was read, or of whose network.c that of the last and the buffers of some."""

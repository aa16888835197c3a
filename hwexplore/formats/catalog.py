"""The named formats: data."""

from __future__ import annotations

__all__ = ["LISTED", "NAMES"]

NAMES = {
    # IEEE 754-2019; bfloat16 and TensorFloat-32 share float32's exponent.
    "fp32": "e8m23ieee:inf",
    "tf32": "e8m10ieee:inf",
    "bf16": "e8m7ieee:inf",
    "fp16": "e5m10ieee:inf",
    "float32": "fp32",
    "float16": "fp16",
    "bfloat16": "bf16",
    # OCP 8-bit Floating Point Specification 1.0 and OCP Microscaling Formats 1.0, saturating.
    "e5m2": "e5m2ieee",
    "e4m3": "e4m3fn",
    "e3m2": "e3m2none",
    "e2m3": "e2m3none",
    "e2m1": "e2m1none",
    "ue8m0": "ue8m0fn",
    "e8m0": "ue8m0",
    # Unsigned block scales: PTX ISA; UE5M3 as in arXiv 2509.17791.
    "ue4m3": "ue4m3fn",
    "ue5m3": "ue5m3fn",
    # The types of ml_dtypes, with its overflow.
    "float8_e5m2": "e5m2:inf",
    "float8_e4m3fn": "e4m3:inf",
    "float8_e8m0fnu": "ue8m0:inf",
    "float8_e4m3": "e4m3ieee:inf",
    "float8_e3m4": "e3m4ieee:inf",
    "float8_e4m3fnuz": "e4m3b8fnuz:inf",
    "float8_e5m2fnuz": "e5m2b16fnuz:inf",
    "float8_e4m3b11fnuz": "e4m3b11fnuz:inf",
    "float6_e3m2fn": "e3m2",
    "float6_e2m3fn": "e2m3",
    "float4_e2m1fn": "e2m1",
    # OCP Microscaling Formats 1.0; MXINT6 and MXINT4 by analogy, as in arXiv 2510.25602.
    "mxfp8": "e4m3_g32_ue8m0",
    "mxfp8_e5m2": "e5m2_g32_ue8m0",
    "mxfp8_e4m3": "mxfp8",
    "mxfp6": "e2m3_g32_ue8m0",
    "mxfp6_e3m2": "e3m2_g32_ue8m0",
    "mxfp6_e2m3": "mxfp6",
    "mxfp4": "e2m1_g32_ue8m0",
    "mxint8": "int8s_g32_ue8m0b133fn",
    "mxint6": "int6s_g32_ue8m0b131fn",
    "mxint4": "int4s_g32_ue8m0b129fn",
    # NVIDIA NVFP4 (arXiv 2509.25149); NVINT4 as in arXiv 2510.25602.
    "nvfp4": "e2m1_g16_tensor_e4m3",
    "nvint4": "int4s_g16_tensor_e4m3",
}
"""Name to its definition in the notation; of several names for a format the first is the canonical one."""

LISTED = (
    *("int2", "int3", "int4", "int6", "int8", "int16", "int32", "uint4", "uint8", "int4s", "int8s"),
    *("bipolar1", "bipolar2", "bipolar3", "bipolar4", "ternary"),
    *("int2_g128", "int3_g128", "int4_g128", "int8_g128", "int4_g128_asym", "int4_g128_dual"),
    *("int4_channel", "int8_channel", "e4m3_channel", "ternary_channel"),
)
"""Formats of the notation that need no name but belong in a list."""

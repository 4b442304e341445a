/*
 * The arithmetic for x86-64 processors with BMI2 and AVX2 (Intel since 2013, AMD since 2015): the field by mulx, the
 * table read 32 bytes at a time. Only this file is compiled for them, and native.c asks the processor before it comes
 * here.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,bmi2")
#define SM2_NATIVE_X86_64
#include "code.h"

const struct sm2_native_code sm2_native_x86_64 = SM2_NATIVE_CODE("x86-64-avx2");
#endif

/* The arithmetic in plain C, for every 64-bit processor. */
#include "code.h"

const struct sm2_native_code sm2_native_portable = SM2_NATIVE_CODE("portable");

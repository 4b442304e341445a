/* How native.c reaches the codes it chooses among. */
#ifndef SM2_NATIVE_INTERFACE_H
#define SM2_NATIVE_INTERFACE_H

#include "sm2_native.h"

#define COMB_BITS 7
#define COMB_ROWS 37
#define COMB_POINTS 64

/* The table of comb.h, the same for whichever code is in use. */
extern struct sm2_affine sm2_native_table[COMB_ROWS][COMB_POINTS];

/* The functions of sm2_native.h, and the one that fills the table. */
struct sm2_native_code {
    const char *name;
    void (*comb_fill)(void);
    int (*multiply_base)(const uint8_t *k, uint8_t *product);
    int (*multiply)(const uint8_t *k, const uint8_t *point, uint8_t *product);
    int (*combine)(const uint8_t *p, const uint8_t *x, const uint8_t *q, uint8_t *sum);
    int (*is_scalar)(const uint8_t *scalar);
    int (*is_point)(const uint8_t *point);
    int (*prepare_private)(const uint8_t *d, uint8_t *inverse_mont);
    int (*sign)(const uint8_t *inverse_mont, const uint8_t *e, const uint8_t *k, uint8_t *signature, int *retry);
    int (*prepare_public)(const uint8_t *point, struct sm2_native_public *key);
    int (*verify)(const struct sm2_native_public *key, const uint8_t *e, const uint8_t *signature);
};

extern const struct sm2_native_code sm2_native_portable;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SM2_NATIVE_HAS_X86_64
extern const struct sm2_native_code sm2_native_x86_64;
#endif

#endif

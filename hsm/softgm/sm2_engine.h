/*
 * What sm2.c asks of the arithmetic under it.
 *
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of softgm, see module.c.
 *
 * Functions return 1 for success and 0 for failure. Points that come in are checked.
 */
#ifndef SOFTGM_SM2_ENGINE_H
#define SOFTGM_SM2_ENGINE_H

#include "sm2.h"

struct sm2_engine {
    const char *name;
    int (*start)(void);
    void (*stop)(void);
    int (*point_is_valid)(const uint8_t *point);
    int (*secret_from_scalar)(struct sm2_secret *secret, const uint8_t *scalar);
    int (*sign)(const struct sm2_secret *secret, const uint8_t *e, const uint8_t *nonce, uint8_t *signature,
                int *retry);
    int (*verify)(const uint8_t *point, const uint8_t *e, const uint8_t *signature);
    int (*multiply_base)(const uint8_t *scalar, uint8_t *product);
    int (*multiply)(const uint8_t *scalar, const uint8_t *point, uint8_t *product);
    int (*combine)(const uint8_t *p, const uint8_t *x, const uint8_t *q, uint8_t *sum);
};

extern const struct sm2_engine sm2_libcrypto;
extern const struct sm2_engine sm2_native;

#endif

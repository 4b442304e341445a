/* An SM2 private key in an envelope for another SM2 key (GB/T 35276-2017 §7.4). Part of softgm. */
#ifndef SOFTGM_ENVELOPE_H
#define SOFTGM_ENVELOPE_H

#include "der.h"

/* Writes at most DER_ENVELOPE_LIMIT bytes. Both return 1, or 0 for failure. */
int envelope_seal(const struct sm2_secret *secret, const uint8_t recipient[SM2_POINT_BYTES],
                  uint8_t der[DER_ENVELOPE_LIMIT], size_t *length);
/* Fails too when the private key does not belong to the public key beside it. */
int envelope_open(const uint8_t *der, size_t length, const struct sm2_secret *recipient, uint8_t scalar[SM2_BYTES]);

#endif

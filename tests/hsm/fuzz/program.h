/*
 * A program of bytes read as objects, templates, mechanisms and room for results; and what may not come out of them.
 * A part of fuzz.c.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgm.h"

#define OBJECTS 16U
#define TEMPLATE_MOST 12U

static CK_FUNCTION_LIST_PTR p11;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE objects[OBJECTS];
static unsigned object_count, fixed_count;

static const CK_BYTE PLANTED_SM4[16] = "\x5a\xc3\x17\x9e\x42\xd1\x8b\x60\xf7\x3c\xa9\x05\xee\x71\xb4\x28";
static const CK_BYTE PLANTED_SM2[32] = "\x39\x45\x20\x8f\x7b\x21\x44\xb1\x3f\x36\xe3\x8a\xc6\xd3\x9f\x95"
                                       "\x88\x93\x93\x69\x28\x60\xb5\x1a\x42\xfb\x81\xef\x4d\xf7\xc5\xb8";

static void die(const char *what) {
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

/* ---- Reading the program ------------------------------------------------------------------------------------------ */

struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned byte(struct input *in) {
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static CK_ULONG pick(struct input *in, const CK_ULONG *table, size_t count) {
    return table[byte(in) % count];
}

static CK_ULONG any_length(struct input *in) {
    static const CK_ULONG LENGTHS[] = {0,  1,  2,  8,  12, 15, 16, 17, 24,  31,  32,  33,  48,  64,  65,
                                       66, 67, 70, 71, 72, 96, 97, 98, 113, 128, 138, 144, 200, 300, 1000};

    return pick(in, LENGTHS, sizeof LENGTHS / sizeof LENGTHS[0]);
}

/* A buffer of exactly this length; two bytes of the program say what is in it. */
static CK_BYTE_PTR filled(struct input *in, CK_ULONG length) {
    CK_BYTE_PTR buffer = malloc(length > 0 ? length : 1);
    unsigned value = byte(in);
    unsigned growth = byte(in);

    if (buffer == NULL)
        die("no memory");
    for (CK_ULONG i = 0; i < length; i++, value += growth)
        buffer[i] = (CK_BYTE)value;
    return buffer;
}

static CK_OBJECT_HANDLE any_object(struct input *in) {
    unsigned choice = byte(in);

    if (choice >= 250 || object_count == 0)
        return choice;
    return objects[choice < 170 ? choice % fixed_count : choice % object_count];
}

static void keep(CK_RV rv, CK_OBJECT_HANDLE object) {
    if (rv != CKR_OK)
        return;
    if (object_count < OBJECTS)
        objects[object_count++] = object;
    else
        p11->C_DestroyObject(session, object);
}

/* ---- What goes out ------------------------------------------------------------------------------------------------- */

static void search(const CK_BYTE *data, CK_ULONG length) {
    for (CK_ULONG i = 0; i + sizeof PLANTED_SM4 <= length; i++) {
        if (memcmp(data + i, PLANTED_SM4, sizeof PLANTED_SM4) == 0)
            die("the planted SM4 key came out");
        if (i + sizeof PLANTED_SM2 <= length && memcmp(data + i, PLANTED_SM2, sizeof PLANTED_SM2) == 0)
            die("the planted SM2 key came out");
    }
}

struct output {
    CK_BYTE_PTR buffer;
    CK_ULONG room, length;
};

static struct output room_for(struct input *in) {
    struct output out = {NULL, 0, 0};
    unsigned choice = byte(in);

    if (choice % 8 == 0)
        return out;
    out.room = choice % 8 < 5 ? 2048 : any_length(in);
    out.length = out.room;
    out.buffer = calloc(1, out.room > 0 ? out.room : 1);
    return out;
}

static CK_RV came(struct output *out, CK_RV rv) {
    if (rv == CKR_OK && out->buffer != NULL && out->length > out->room)
        die("a call says it wrote more than there was room for");
    if (out->buffer != NULL)
        search(out->buffer, out->room);
    free(out->buffer);
    return rv;
}

/* ---- Templates ----------------------------------------------------------------------------------------------------- */

static const CK_ULONG TYPES[] = {
    CKA_CLASS,       CKA_TOKEN,       CKA_PRIVATE,   CKA_LABEL,         CKA_VALUE,           CKA_KEY_TYPE,
    CKA_ID,          CKA_SENSITIVE,   CKA_ENCRYPT,   CKA_DECRYPT,       CKA_WRAP,            CKA_UNWRAP,
    CKA_SIGN,        CKA_VERIFY,      CKA_DERIVE,    CKA_VALUE_LEN,     CKA_EXTRACTABLE,     CKA_LOCAL,
    CKA_COPYABLE,    CKA_MODIFIABLE,  CKA_EC_PARAMS, CKA_EC_POINT,      CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
    CKA_CHECK_VALUE, CKA_DESTROYABLE, CKA_KEY_GEN_MECHANISM, CKA_SIGN_RECOVER, CKA_ALLOWED_MECHANISMS,
    CKA_WRAP_WITH_TRUSTED, CKA_ALWAYS_AUTHENTICATE, 0x80000001UL,
};
static const CK_ULONG NUMBERS[] = {
    0, 1, 2, 3, 4, CKK_EC, CKK_GENERIC_SECRET, CKK_AES, CKK_VENDOR_SM2, CKK_VENDOR_SM4, 16, 32, 24, ~0UL, 0x80000107UL,
    0x80008001UL,
};

struct templ {
    CK_ATTRIBUTE list[TEMPLATE_MOST];
    CK_ULONG count;
};

static void set(struct templ *to, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG length) {
    CK_ATTRIBUTE *attribute = NULL;

    for (CK_ULONG i = 0; i < to->count; i++)
        if (to->list[i].type == type) {
            attribute = &to->list[i];
            free(attribute->pValue);
        }
    if (attribute == NULL && to->count < TEMPLATE_MOST)
        attribute = &to->list[to->count++];
    if (attribute == NULL)
        return;
    attribute->type = type;
    attribute->ulValueLen = length;
    attribute->pValue = malloc(length > 0 ? length : 1);
    memcpy(attribute->pValue, value, length);
}

static void set_number(struct templ *to, CK_ATTRIBUTE_TYPE type, CK_ULONG number) {
    set(to, type, &number, sizeof number);
}

static void set_flag(struct templ *to, CK_ATTRIBUTE_TYPE type, CK_BBOOL flag) {
    set(to, type, &flag, sizeof flag);
}

/* Something that could work, so that the rest of the program has keys to work with. */
static void begin(struct templ *to, unsigned kind) {
    static const CK_BYTE value[32] = {1, 2, 3, 4, 5, 6, 7, 8};

    memset(to, 0, sizeof *to);
    set_flag(to, CKA_TOKEN, CK_FALSE);
    switch (kind % 8) {
    case 0:
        break;
    case 1:
    case 2:
        set_number(to, CKA_CLASS, CKO_SECRET_KEY);
        set_number(to, CKA_KEY_TYPE, CKK_VENDOR_SM4);
        if (kind % 8 == 2)
            set(to, CKA_VALUE, value, 16);
        break;
    case 3:
    case 4:
        set_number(to, CKA_CLASS, CKO_PRIVATE_KEY);
        set_number(to, CKA_KEY_TYPE, kind % 2 ? CKK_EC : CKK_VENDOR_SM2);
        set_flag(to, CKA_DERIVE, CK_TRUE);
        set_flag(to, CKA_UNWRAP, CK_TRUE);
        if (kind % 8 == 4) {
            set(to, CKA_EC_PARAMS, SM2_PARAMS, SM2_PARAMS_BYTES);
            set(to, CKA_VALUE, value, 32);
        }
        break;
    case 5:
        set(to, CKA_EC_PARAMS, SM2_PARAMS, SM2_PARAMS_BYTES);
        set_flag(to, CKA_WRAP, CK_TRUE);
        break;
    default:
        set_number(to, CKA_CLASS, CKO_SECRET_KEY);
        set_number(to, CKA_KEY_TYPE, kind % 2 ? CKK_AES : CKK_GENERIC_SECRET);
        set_number(to, CKA_VALUE_LEN, 32);
        break;
    }
}

static void mutate(struct input *in, struct templ *to) {
    unsigned changes = byte(in);

    for (changes = changes < 128 ? 0 : changes % 4; changes > 0; changes--) {
        CK_ATTRIBUTE_TYPE type = pick(in, TYPES, sizeof TYPES / sizeof TYPES[0]);
        unsigned form = byte(in) % 4;
        CK_ULONG length;
        CK_BYTE_PTR bytes;

        /* Objects of the token would pile up from program to program. */
        if (type == CKA_TOKEN)
            continue;
        if (form == 0) {
            set_flag(to, type, (CK_BBOOL)(byte(in) % 3));
        } else if (form == 1) {
            set_number(to, type, pick(in, NUMBERS, sizeof NUMBERS / sizeof NUMBERS[0]));
        } else {
            length = any_length(in);
            bytes = filled(in, length);
            set(to, type, bytes, length);
            free(bytes);
        }
    }
}

static void end(struct templ *to) {
    for (CK_ULONG i = 0; i < to->count; i++) {
        search(to->list[i].pValue, to->list[i].ulValueLen == ~0UL ? 0 : to->list[i].ulValueLen);
        free(to->list[i].pValue);
    }
}

/* ---- Mechanisms ---------------------------------------------------------------------------------------------------- */

static const CK_ULONG MECHANISMS[] = {
    CKM_VENDOR_SM2_KEY_PAIR_GEN, CKM_VENDOR_SM3_SM2_RAW, CKM_VENDOR_SM3_SM2_DER, CKM_VENDOR_SM2_DER, CKM_VENDOR_SM2_RAW,
    CKM_VENDOR_SM2_ENCRYPT_RAW, CKM_VENDOR_SM2_ENCRYPT_DER, CKM_VENDOR_SM3, CKM_VENDOR_SM4_KEY_GEN, CKM_VENDOR_SM4_ECB,
    CKM_VENDOR_SM4_CBC, CKM_VENDOR_SM4_CBC_PAD, CKM_SOFTGM_SM4_GCM, CKM_SOFTGM_SM3_HMAC, CKM_SOFTGM_SM2_KEY_AGREEMENT,
    CKM_SOFTGM_SM2_ENVELOPE, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, CKM_AES_KEY_GEN, CKM_AES_KEY_WRAP_PAD, CKM_AES_KEY_WRAP,
    CKM_SHA256, CKM_SHA256_HMAC, CKM_GENERIC_SECRET_KEY_GEN, CKM_RSA_PKCS, CKM_AES_ECB, 0x80001234UL,
};

struct how {
    CK_MECHANISM mechanism;
    CK_GCM_PARAMS gcm;
    struct softgm_agreement agreement;
    CK_BYTE_PTR bytes[4];
    CK_BYTE confirmations[64];
};

static CK_BYTE_PTR point(struct input *in, CK_ULONG *length) {
    CK_BYTE value[67];
    CK_ATTRIBUTE query = {CKA_EC_POINT, value, sizeof value};
    CK_BYTE_PTR copy = NULL;

    *length = 65;
    if (byte(in) % 8 == 0)
        return filled(in, *length = any_length(in));
    /* The public keys among the fixed objects. */
    if (p11->C_GetAttributeValue(session, objects[byte(in) % 2 ? 0 : 2], &query, 1) == CKR_OK)
        copy = memcpy(malloc(65), value + 2, 65);
    return copy != NULL ? copy : filled(in, 65);
}

static void gcm_parameter(struct input *in, struct how *how) {
    how->gcm.iv_len = byte(in) % 8 ? 12 : any_length(in);
    how->bytes[0] = filled(in, how->gcm.iv_len);
    how->gcm.iv_ptr = how->bytes[0];
    how->gcm.aad_len = byte(in) % 40;
    how->bytes[1] = filled(in, how->gcm.aad_len);
    how->gcm.aad_ptr = how->bytes[1];
    how->gcm.tag_bits = byte(in) % 4 ? 128 : byte(in);
    how->mechanism.pParameter = &how->gcm;
    how->mechanism.ulParameterLen = sizeof how->gcm;
}

static void agreement_parameter(struct input *in, struct how *how) {
    struct softgm_agreement *to = &how->agreement;

    to->role = byte(in) % 8 ? 1 + byte(in) % 2 : byte(in);
    to->ephemeral_key = any_object(in);
    if (byte(in) % 2) {
        to->own_identifier_length = any_length(in);
        to->own_identifier = how->bytes[0] = filled(in, to->own_identifier_length);
    }
    if (byte(in) % 2) {
        to->peer_identifier_length = any_length(in);
        to->peer_identifier = how->bytes[1] = filled(in, to->peer_identifier_length);
    }
    to->peer_point = how->bytes[2] = point(in, &to->peer_point_length);
    to->peer_ephemeral_point = how->bytes[3] = point(in, &to->peer_ephemeral_point_length);
    to->confirmations = byte(in) % 2 ? how->confirmations : NULL;
    how->mechanism.pParameter = to;
    how->mechanism.ulParameterLen = sizeof *to;
}

static CK_MECHANISM_PTR choose(struct input *in, struct how *how, const CK_ULONG *likely, size_t count) {
    unsigned form = byte(in);

    memset(how, 0, sizeof *how);
    if (form % 64 == 63)
        return NULL;
    how->mechanism.mechanism =
        form % 8 ? pick(in, likely, count) : pick(in, MECHANISMS, sizeof MECHANISMS / sizeof MECHANISMS[0]);
    if (how->mechanism.mechanism == CKM_SOFTGM_SM4_GCM && form % 16 < 14) {
        gcm_parameter(in, how);
    } else if (how->mechanism.mechanism == CKM_SOFTGM_SM2_KEY_AGREEMENT && form % 16 < 14) {
        agreement_parameter(in, how);
    } else if (how->mechanism.mechanism >= 0x80000000UL && form % 16 < 10) {
        /* Never as long as a structure of pointers: those must point somewhere. */
        static const CK_ULONG LENGTHS[] = {0, 16, 16, 16, 12, 17, 1, 64};

        how->mechanism.ulParameterLen = pick(in, LENGTHS, 8);
        how->bytes[0] = filled(in, how->mechanism.ulParameterLen);
        how->mechanism.pParameter = how->mechanism.ulParameterLen > 0 ? how->bytes[0] : NULL;
    }
    return &how->mechanism;
}

static void done(struct how *how) {
    search(how->confirmations, sizeof how->confirmations);
    for (size_t i = 0; i < 4; i++)
        free(how->bytes[i]);
}

#define LIKELY(...) (const CK_ULONG[]){__VA_ARGS__}, sizeof((const CK_ULONG[]){__VA_ARGS__}) / sizeof(CK_ULONG)
#define CIPHERS                                                                                                        \
    LIKELY(CKM_VENDOR_SM4_ECB, CKM_VENDOR_SM4_CBC, CKM_VENDOR_SM4_CBC_PAD, CKM_SOFTGM_SM4_GCM,                          \
           CKM_VENDOR_SM2_ENCRYPT_RAW, CKM_VENDOR_SM2_ENCRYPT_DER)
#define SIGNATURES                                                                                                     \
    LIKELY(CKM_VENDOR_SM3_SM2_RAW, CKM_VENDOR_SM3_SM2_DER, CKM_VENDOR_SM2_DER, CKM_VENDOR_SM2_RAW, CKM_SOFTGM_SM3_HMAC)

#endif

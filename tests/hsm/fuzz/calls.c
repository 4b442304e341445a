/*
 * Random sequences of PKCS#11 calls against softgm, for a sanitizer to watch.
 *
 * Bytes are read as a program: which function, which object, which mechanism, which template, how much room. Buffers
 * are exactly as long as the call is told. Two private values are planted in keys that are not extractable; whatever a
 * call gives out is searched for them.
 *
 * Built with libFuzzer (clang -fsanitize=fuzzer) it is a fuzzing target. Built with -DSTANDALONE:
 *
 *   calls --random SEED COUNT    so many random programs; then says how often each function succeeded
 *   calls FILE...                these programs
 *
 * The environment names a directory for a token: FUZZ_DIRECTORY.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "der.h"
#include "envelope.h"
#include "softgm.h"

#define PIN ((CK_UTF8CHAR_PTR) "fuzzing-1234")
#define PIN_LENGTH 12
#define OBJECTS 16U
#define TEMPLATE_MOST 12U
#define STEPS 40

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

static CK_FUNCTION_LIST_PTR p11;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE objects[OBJECTS];
static unsigned object_count, fixed_count;

static const CK_BYTE PLANTED_SM4[16] = "\x5a\xc3\x17\x9e\x42\xd1\x8b\x60\xf7\x3c\xa9\x05\xee\x71\xb4\x28";
static const CK_BYTE PLANTED_SM2[32] = "\x39\x45\x20\x8f\x7b\x21\x44\xb1\x3f\x36\xe3\x8a\xc6\xd3\x9f\x95"
                                       "\x88\x93\x93\x69\x28\x60\xb5\x1a\x42\xfb\x81\xef\x4d\xf7\xc5\xb8";

#define FUNCTIONS 45
static const char *names[FUNCTIONS];
static unsigned long called[FUNCTIONS], succeeded[FUNCTIONS];

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

/* ---- The calls ----------------------------------------------------------------------------------------------------- */

/* The last thing that came out, so that decryption, verification and unwrapping meet what they can read. */
static CK_BYTE last[2048];
static CK_ULONG last_length;

static CK_RV remember(struct output *out, CK_RV rv) {
    if (rv == CKR_OK && out->buffer != NULL && out->length <= sizeof last && out->length <= out->room) {
        memcpy(last, out->buffer, out->length);
        last_length = out->length;
    }
    return came(out, rv);
}

static CK_BYTE_PTR data_for(struct input *in, CK_ULONG *length) {
    CK_BYTE_PTR copy;

    if (byte(in) % 3 == 0) {
        copy = malloc(last_length > 0 ? last_length : 1);
        memcpy(copy, last, last_length);
        *length = last_length;
        if (byte(in) % 4 == 0 && *length > 0)
            copy[byte(in) % *length] ^= (CK_BYTE)byte(in);
        return copy;
    }
    *length = any_length(in);
    return filled(in, *length);
}

typedef CK_RV (*init_function)(CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE);
typedef CK_RV (*whole_function)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
typedef CK_RV (*final_function)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR);

static CK_RV init(struct input *in, init_function function, const CK_ULONG *likely, size_t count) {
    struct how how;
    CK_MECHANISM_PTR mechanism = choose(in, &how, likely, count);
    CK_RV rv = function(session, mechanism, any_object(in));

    done(&how);
    return rv;
}

static CK_RV whole(struct input *in, whole_function function) {
    CK_ULONG length;
    CK_BYTE_PTR data = data_for(in, &length);
    struct output out = room_for(in);
    CK_RV rv = remember(&out, function(session, data, length, out.buffer, &out.length));

    free(data);
    return rv;
}

static CK_RV part(struct input *in, CK_RV (*function)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG)) {
    CK_ULONG length;
    CK_BYTE_PTR data = data_for(in, &length);
    CK_RV rv = function(session, data, length);

    free(data);
    return rv;
}

static CK_RV final(struct input *in, final_function function) {
    struct output out = room_for(in);

    return remember(&out, function(session, out.buffer, &out.length));
}

static CK_RV make_object(struct input *in, int generate) {
    struct templ template;
    CK_OBJECT_HANDLE object = 0;
    struct how how;
    CK_MECHANISM_PTR mechanism;
    CK_RV rv;

    begin(&template, byte(in));
    mutate(in, &template);
    if (generate) {
        mechanism = choose(in, &how, LIKELY(CKM_VENDOR_SM4_KEY_GEN));
        rv = p11->C_GenerateKey(session, mechanism, template.list, template.count, &object);
        done(&how);
    } else {
        rv = p11->C_CreateObject(session, template.list, template.count, &object);
    }
    keep(rv, object);
    end(&template);
    return rv;
}

static CK_RV make_pair(struct input *in) {
    struct templ public_template, private_template;
    CK_OBJECT_HANDLE public_key = 0, private_key = 0;
    struct how how;
    CK_MECHANISM_PTR mechanism;
    CK_RV rv;

    begin(&public_template, 5);
    mutate(in, &public_template);
    begin(&private_template, 3);
    mutate(in, &private_template);
    mechanism = choose(in, &how, LIKELY(CKM_VENDOR_SM2_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN));
    rv = p11->C_GenerateKeyPair(session, mechanism, public_template.list, public_template.count, private_template.list,
                                private_template.count, &public_key, &private_key);
    done(&how);
    keep(rv, public_key);
    keep(rv, private_key);
    end(&public_template);
    end(&private_template);
    return rv;
}

static CK_RV use_template(struct input *in, int function) {
    struct templ template;
    CK_OBJECT_HANDLE object = 0;
    CK_RV rv;

    memset(&template, 0, sizeof template);
    mutate(in, &template);
    if (byte(in) % 2)
        set(&template, CKA_LABEL, "fuzz", 4);
    if (function == 0) {
        rv = p11->C_GetAttributeValue(session, any_object(in), template.list, template.count);
    } else if (function == 1) {
        rv = p11->C_SetAttributeValue(session, any_object(in), template.list, template.count);
    } else if (function == 2) {
        rv = p11->C_CopyObject(session, any_object(in), template.list, template.count, &object);
        keep(rv, object);
    } else {
        rv = p11->C_FindObjectsInit(session, template.list, template.count);
    }
    end(&template);
    return rv;
}

static CK_RV derive(struct input *in) {
    struct templ template;
    CK_OBJECT_HANDLE object = 0;
    struct how how;
    CK_MECHANISM_PTR mechanism;
    CK_RV rv;

    begin(&template, byte(in) % 2 ? 1 : 6);
    mutate(in, &template);
    mechanism = choose(in, &how, LIKELY(CKM_SOFTGM_SM2_KEY_AGREEMENT));
    rv = p11->C_DeriveKey(session, mechanism, any_object(in), template.list, template.count, &object);
    done(&how);
    keep(rv, object);
    end(&template);
    return rv;
}

#define WRAPPINGS LIKELY(CKM_AES_KEY_WRAP_PAD, CKM_SOFTGM_SM4_GCM, CKM_SOFTGM_SM2_ENVELOPE)

static CK_RV wrap(struct input *in) {
    struct how how;
    CK_MECHANISM_PTR mechanism = choose(in, &how, WRAPPINGS);
    struct output out = room_for(in);
    CK_OBJECT_HANDLE wrapping = any_object(in);
    CK_RV rv = remember(&out, p11->C_WrapKey(session, mechanism, wrapping, any_object(in), out.buffer, &out.length));

    done(&how);
    return rv;
}

static CK_RV unwrap(struct input *in) {
    struct templ template;
    CK_OBJECT_HANDLE object = 0;
    struct how how;
    CK_MECHANISM_PTR mechanism = choose(in, &how, WRAPPINGS);
    CK_ULONG length;
    CK_BYTE_PTR data = data_for(in, &length);
    CK_RV rv;

    begin(&template, 1 + byte(in) % 3);
    mutate(in, &template);
    rv = p11->C_UnwrapKey(session, mechanism, any_object(in), data, length, template.list, template.count, &object);
    done(&how);
    keep(rv, object);
    end(&template);
    free(data);
    return rv;
}

/* Wrapped and unwrapped again by keys that may belong together. */
static CK_RV move(struct input *in) {
    static const CK_BYTE PARTNERS[] = {1, 1, 3, 3, 4, 5};
    struct templ template;
    CK_OBJECT_HANDLE object = 0;
    struct how how;
    CK_MECHANISM_PTR mechanism = choose(in, &how, WRAPPINGS);
    unsigned wrapping = byte(in) % sizeof PARTNERS;
    struct output out = {calloc(1, 2048), 2048, 2048};
    CK_RV rv = p11->C_WrapKey(session, mechanism, objects[wrapping], any_object(in), out.buffer, &out.length);

    if (rv == CKR_OK) {
        if (byte(in) % 8 == 0)
            out.buffer[byte(in) % out.length] ^= (CK_BYTE)byte(in);
        begin(&template, 1 + byte(in) % 3);
        mutate(in, &template);
        rv = p11->C_UnwrapKey(session, mechanism, objects[PARTNERS[wrapping]], out.buffer, out.length, template.list,
                              template.count, &object);
        keep(rv, object);
        end(&template);
    }
    done(&how);
    return came(&out, rv);
}

static CK_RV sign_and_verify(struct input *in) {
    unsigned key = byte(in) % 3 * 2;
    struct how how;
    CK_MECHANISM_PTR mechanism = choose(in, &how, SIGNATURES);
    CK_ULONG length = byte(in) % 2 ? 32 : any_length(in);
    CK_BYTE_PTR data = filled(in, length);
    struct output out = {calloc(1, 128), 128, 128};
    CK_RV rv = p11->C_SignInit(session, mechanism, objects[key < 4 ? key + 1 : key]);

    if (rv == CKR_OK)
        rv = p11->C_Sign(session, data, length, out.buffer, &out.length);
    if (rv == CKR_OK)
        rv = p11->C_VerifyInit(session, mechanism, objects[key]);
    if (rv == CKR_OK) {
        rv = p11->C_Verify(session, data, length, out.buffer, out.length);
        if (rv != CKR_OK)
            die("a signature of our own does not verify");
    }
    free(data);
    done(&how);
    return came(&out, rv);
}

static CK_RV encrypt_and_decrypt(struct input *in) {
    unsigned key = byte(in) % 3 * 2;
    struct how how;
    CK_MECHANISM_PTR mechanism = choose(in, &how, CIPHERS);
    CK_ULONG length = byte(in) % 2 ? 32 : any_length(in);
    CK_BYTE_PTR data = filled(in, length);
    struct output out = {calloc(1, 2048), 2048, 2048};
    struct output back = {calloc(1, 2048), 2048, 2048};
    CK_RV rv = p11->C_EncryptInit(session, mechanism, objects[key]);

    if (rv == CKR_OK)
        rv = p11->C_Encrypt(session, data, length, out.buffer, &out.length);
    if (rv == CKR_OK)
        rv = p11->C_DecryptInit(session, mechanism, objects[key < 4 ? key + 1 : key]);
    if (rv == CKR_OK) {
        rv = p11->C_Decrypt(session, out.buffer, out.length, back.buffer, &back.length);
        if (rv != CKR_OK || back.length != length || memcmp(back.buffer, data, length) != 0)
            die("a ciphertext of our own does not open");
    }
    free(data);
    done(&how);
    came(&back, rv);
    return came(&out, rv);
}

static CK_RV find(struct input *in) {
    CK_OBJECT_HANDLE found[4];
    CK_ULONG count = 0;

    return p11->C_FindObjects(session, found, byte(in) % 5, &count);
}

static CK_RV random_bytes(struct input *in) {
    CK_ULONG length = any_length(in);
    CK_BYTE_PTR buffer = filled(in, length);
    CK_RV rv = p11->C_GenerateRandom(session, buffer, length);

    free(buffer);
    return rv;
}

static CK_RV digest_init(CK_SESSION_HANDLE there, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE unused) {
    (void)unused;
    return p11->C_DigestInit(there, mechanism);
}

static CK_RV verify(struct input *in) {
    CK_ULONG length, signature_length;
    CK_BYTE_PTR data = filled(in, length = any_length(in));
    CK_BYTE_PTR signature = data_for(in, &signature_length);
    CK_RV rv = p11->C_Verify(session, data, length, signature, signature_length);

    free(data);
    free(signature);
    return rv;
}

static CK_RV destroy(struct input *in) {
    CK_OBJECT_HANDLE object = any_object(in);

    for (unsigned i = 0; i < fixed_count; i++)
        if (objects[i] == object)
            return CKR_OK;
    return p11->C_DestroyObject(session, object);
}

static CK_RV reopen(void) {
    CK_SESSION_HANDLE fresh;

    if (p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &fresh) != CKR_OK)
        die("no session");
    p11->C_CloseSession(session);
    session = fresh;
    object_count = fixed_count; /* they died with the session */
    return CKR_OK;
}

#define CALL(number, name, expression)                                                                                 \
    case number:                                                                                                       \
        names[number] = name;                                                                                          \
        rv = (expression);                                                                                             \
        break

static void step(struct input *in) {
    unsigned function = byte(in) % FUNCTIONS;
    CK_ULONG size;
    CK_RV rv;

    switch (function) {
        CALL(0, "CreateObject", make_object(in, 0));
        CALL(1, "GenerateKey", make_object(in, 1));
        CALL(2, "GenerateKeyPair", make_pair(in));
        CALL(3, "GetAttributeValue", use_template(in, 0));
        CALL(4, "SetAttributeValue", use_template(in, 1));
        CALL(5, "CopyObject", use_template(in, 2));
        CALL(6, "FindObjectsInit", use_template(in, 3));
        CALL(7, "FindObjects", find(in));
        CALL(8, "FindObjectsFinal", p11->C_FindObjectsFinal(session));
        CALL(9, "DestroyObject", destroy(in));
        CALL(10, "GetObjectSize", p11->C_GetObjectSize(session, any_object(in), &size));
        CALL(11, "DeriveKey", derive(in));
        CALL(12, "WrapKey", wrap(in));
        CALL(13, "UnwrapKey", unwrap(in));
        CALL(14, "EncryptInit", init(in, p11->C_EncryptInit, CIPHERS));
        CALL(15, "Encrypt", whole(in, p11->C_Encrypt));
        CALL(16, "EncryptUpdate", whole(in, p11->C_EncryptUpdate));
        CALL(17, "EncryptFinal", final(in, p11->C_EncryptFinal));
        CALL(18, "DecryptInit", init(in, p11->C_DecryptInit, CIPHERS));
        CALL(19, "Decrypt", whole(in, p11->C_Decrypt));
        CALL(20, "DecryptUpdate", whole(in, p11->C_DecryptUpdate));
        CALL(21, "DecryptFinal", final(in, p11->C_DecryptFinal));
        CALL(22, "DigestInit", init(in, digest_init, LIKELY(CKM_VENDOR_SM3)));
        CALL(23, "Digest", whole(in, p11->C_Digest));
        CALL(24, "DigestUpdate", part(in, p11->C_DigestUpdate));
        CALL(25, "DigestFinal", final(in, p11->C_DigestFinal));
        CALL(26, "DigestKey", p11->C_DigestKey(session, any_object(in)));
        CALL(27, "SignInit", init(in, p11->C_SignInit, SIGNATURES));
        CALL(28, "Sign", whole(in, p11->C_Sign));
        CALL(29, "SignUpdate", part(in, p11->C_SignUpdate));
        CALL(30, "SignFinal", final(in, p11->C_SignFinal));
        CALL(31, "VerifyInit", init(in, p11->C_VerifyInit, SIGNATURES));
        CALL(32, "Verify", verify(in));
        CALL(33, "VerifyUpdate", part(in, p11->C_VerifyUpdate));
        CALL(34, "VerifyFinal", part(in, p11->C_VerifyFinal));
        CALL(35, "SignRecoverInit", init(in, p11->C_SignRecoverInit, SIGNATURES));
        CALL(36, "VerifyRecoverInit", init(in, p11->C_VerifyRecoverInit, SIGNATURES));
        CALL(37, "GetOperationState", final(in, p11->C_GetOperationState));
        CALL(38, "GenerateRandom", random_bytes(in));
        CALL(39, "CloseSession", reopen());
        CALL(40, "GetMechanismInfo", p11->C_GetMechanismInfo(slot, pick(in, MECHANISMS, 20), &(CK_MECHANISM_INFO){0}));
        CALL(41, "GetMechanismList", p11->C_GetMechanismList(slot, NULL, &size));
        CALL(42, "WrapKey and UnwrapKey", move(in));
        CALL(43, "Sign and Verify", sign_and_verify(in));
        CALL(44, "Encrypt and Decrypt", encrypt_and_decrypt(in));
    default:
        return;
    }
    called[function]++;
    succeeded[function] += rv == CKR_OK;
}

/* ---- The DER readers: what they take, their writers write again ---------------------------------------------------- */

static void read_der(const uint8_t *data, size_t size) {
    uint8_t raw[SM2_SIGNATURE_BYTES], scalar[SM2_BYTES], again[DER_ENVELOPE_LIMIT];
    uint8_t *exact = malloc(size > 0 ? size : 1);
    uint8_t *cipher = malloc(size + SM2_CIPHER_OVERHEAD);
    uint8_t *written = malloc(size + SM2_CIPHER_OVERHEAD + DER_CIPHER_OVERHEAD);
    struct der_envelope envelope;
    size_t length;

    memcpy(exact, data, size);
    if (der_read_signature(exact, size, raw) && (der_write_signature(raw, again) != size || memcmp(again, exact, size)))
        die("a signature is read that is not written so");
    length = der_read_cipher(exact, size, cipher, size + SM2_CIPHER_OVERHEAD);
    if (length > 0 && (der_write_cipher(cipher, length, written) != size || memcmp(written, exact, size) != 0))
        die("a ciphertext is read that is not written so");
    if (der_read_envelope(exact, size, &envelope) &&
        (length = der_write_envelope(&envelope, again)) != size && length != size + 1 && length != size + 2 &&
        length != size + 3)
        die("an envelope is read that is not written so");
    der_read_private_key(exact, size, scalar);
    free(written);
    free(cipher);
    free(exact);
}

/* ---- Setting up ---------------------------------------------------------------------------------------------------- */

static void demand(CK_RV rv, const char *what) {
    if (rv == CKR_OK)
        return;
    fprintf(stderr, "fuzz: %s: 0x%lx\n", what, rv);
    exit(1);
}

static void configure(void) {
    const char *directory = getenv("FUZZ_DIRECTORY");
    char path[4096];
    FILE *file;

    if (directory == NULL || chdir(directory) != 0)
        die("FUZZ_DIRECTORY names no directory");
    mkdir("tokens", 0700);
    file = fopen("softhsm2.conf", "w");
    if (file == NULL)
        die("the configuration cannot be written");
    fprintf(file, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n",
            getcwd(path, sizeof path));
    fclose(file);
    setenv("SOFTHSM2_CONF", "softhsm2.conf", 1);
}

static void plant(unsigned kind, const CK_BYTE *value, CK_ULONG length) {
    struct templ template;
    CK_OBJECT_HANDLE object;

    begin(&template, kind);
    set(&template, CKA_VALUE, value, length);
    set_flag(&template, CKA_TOKEN, CK_TRUE);
    demand(p11->C_CreateObject(session, template.list, template.count, &object), "planting");
    objects[object_count++] = object;
    for (CK_ULONG i = 0; i < template.count; i++)
        free(template.list[i].pValue);
}

static void plant_pair(CK_BBOOL extractable) {
    CK_MECHANISM mechanism = {CKM_VENDOR_SM2_KEY_PAIR_GEN, NULL, 0};
    struct templ public_template, private_template;

    begin(&public_template, 5);
    begin(&private_template, 3);
    set_flag(&public_template, CKA_TOKEN, CK_TRUE);
    set_flag(&private_template, CKA_TOKEN, CK_TRUE);
    set_flag(&private_template, CKA_EXTRACTABLE, extractable);
    set_flag(&private_template, CKA_DECRYPT, CK_TRUE);
    demand(p11->C_GenerateKeyPair(session, &mechanism, public_template.list, public_template.count,
                                  private_template.list, private_template.count, &objects[object_count],
                                  &objects[object_count + 1]),
           "making a pair");
    object_count += 2;
    end(&public_template);
    end(&private_template);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    CK_UTF8CHAR label[32];
    CK_ULONG count = 1;

    (void)argc;
    (void)argv;
    configure();
    memset(label, ' ', sizeof label);
    memcpy(label, "fuzz", 4);
    demand(C_GetFunctionList(&p11), "loading");
    demand(p11->C_Initialize(NULL), "starting");
    demand(p11->C_GetSlotList(CK_FALSE, &slot, &count) == CKR_BUFFER_TOO_SMALL ? 0 : CKR_OK, "slots");
    demand(p11->C_InitToken(slot, PIN, PIN_LENGTH, label), "making a token");
    count = 1;
    p11->C_GetSlotList(CK_TRUE, &slot, &count);
    demand(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), "opening");
    demand(p11->C_Login(session, CKU_SO, PIN, PIN_LENGTH), "officer");
    demand(p11->C_InitPIN(session, PIN, PIN_LENGTH), "PIN");
    demand(p11->C_Logout(session), "officer out");
    demand(p11->C_Login(session, CKU_USER, PIN, PIN_LENGTH), "user");
    plant_pair(CK_FALSE);
    plant_pair(CK_TRUE);
    plant(2, PLANTED_SM4, sizeof PLANTED_SM4);
    plant(4, PLANTED_SM2, sizeof PLANTED_SM2);
    fixed_count = object_count;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};

    if (size > 0 && data[0] == 0xFF) {
        read_der(data + 1, size - 1);
        return 0;
    }
    for (int steps = 0; steps < STEPS && in.left > 0; steps++)
        step(&in);
    reopen();
    return 0;
}

#ifdef STANDALONE

static uint64_t state;

static uint8_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint8_t)(state >> 24);
}

/* A program that is likely to get somewhere: an operation is begun, used and ended with calls that belong together. */
static size_t invent(uint8_t *program, size_t room) {
    static const uint8_t GROUPS[][4] = {{42, 43, 44, 11}, {14, 15, 16, 17}, {18, 19, 20, 21}, {22, 23, 24, 25}, {27, 28, 29, 30},
                                        {31, 32, 33, 34}, {0, 1, 2, 3},     {11, 12, 13, 9},  {6, 7, 8, 4}};
    size_t size = 100 + next() * 3U;

    for (size_t i = 0; i < size && i < room; i++) {
        const uint8_t *group = GROUPS[next() % 9];

        program[i] = next() % 3 ? group[next() % 4] : next();
    }
    if (program[0] == 0xFF)
        program[0] = 0;
    return size < room ? size : room;
}

static int run_file(const char *path) {
    static uint8_t program[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL)
        return 0;
    size = fread(program, 1, sizeof program, file);
    fclose(file);
    LLVMFuzzerTestOneInput(program, size);
    return 1;
}

int main(int argc, char **argv) {
    static uint8_t program[1024];

    LLVMFuzzerInitialize(&argc, &argv);
    if (argc == 4 && strcmp(argv[1], "--random") == 0) {
        state = strtoull(argv[2], NULL, 10) * 0x9E3779B97F4A7C15U + 1;
        for (unsigned long i = strtoul(argv[3], NULL, 10); i > 0; i--)
            LLVMFuzzerTestOneInput(program, invent(program, sizeof program));
        for (int i = 0; i < FUNCTIONS; i++)
            if (names[i] != NULL)
                printf("%s %lu %lu\n", names[i], called[i], succeeded[i]);
    } else {
        for (int i = 1; i < argc; i++)
            if (!run_file(argv[i]))
                return 1;
        printf("ok\n");
    }
    p11->C_Finalize(NULL);
    return 0;
}

#endif

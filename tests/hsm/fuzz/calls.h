/* Each function of PKCS#11 as a step of the program; and the readers of DER. A part of fuzz.c. */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "der.h"
#include "program.h"

#define FUNCTIONS 45
static const char *names[FUNCTIONS];
static unsigned long called[FUNCTIONS], succeeded[FUNCTIONS];

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

#endif

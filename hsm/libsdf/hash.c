/* SM3. FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See device.c. */
#include "libsdf.h"

#define SM3_BYTES 32U

int SDF_HashInit(void *handle, unsigned int algorithm, ECCrefPublicKey *key, unsigned char *identifier,
                 unsigned int identifier_length) {
    unsigned char point[SM2_POINT_BYTES], z[SM2_BYTES];
    struct session *session;
    int answer;

    if (algorithm != SGD_SM3)
        return SDR_ALGNOTSUPPORT;
    if (key != NULL && (identifier == NULL || identifier_length > SM2_IDENTIFIER_LIMIT))
        return SDR_INARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    EVP_MD_CTX_free(session->hash);
    session->hash = EVP_MD_CTX_new();
    if (session->hash == NULL || !EVP_DigestInit_ex(session->hash, EVP_sm3(), NULL))
        answer = SDR_UNKNOWERR;
    /* With a key, what is hashed begins with Z. */
    else if (key != NULL && (!ecc_point(key, point) || !sm2_z(point, identifier, identifier_length, z) ||
                             !EVP_DigestUpdate(session->hash, z, sizeof z)))
        answer = SDR_PKOPERR;
    if (answer != SDR_OK) {
        EVP_MD_CTX_free(session->hash);
        session->hash = NULL;
    }
    return session_leave(session, answer);
}

int SDF_HashUpdate(void *handle, unsigned char *data, unsigned int length) {
    struct session *session;
    int answer;

    if (data == NULL && length > 0)
        return SDR_INARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    if (session->hash == NULL)
        answer = SDR_STEPERR;
    else if (!EVP_DigestUpdate(session->hash, data, length))
        answer = SDR_UNKNOWERR;
    return session_leave(session, answer);
}

int SDF_HashFinal(void *handle, unsigned char *digest, unsigned int *length) {
    struct session *session;
    int answer;

    if (digest == NULL || length == NULL)
        return SDR_OUTARGERR;
    if ((answer = session_enter(handle, &session)) != SDR_OK)
        return answer;
    if (session->hash == NULL)
        answer = SDR_STEPERR;
    else if (!EVP_DigestFinal_ex(session->hash, digest, NULL))
        answer = SDR_UNKNOWERR;
    else
        *length = SM3_BYTES;
    EVP_MD_CTX_free(session->hash);
    session->hash = NULL;
    return session_leave(session, answer);
}

/*
 * What PKCS#11 3.0 adds to the function list (v3.0 §3.6 and §5.4). The headers of p11-kit before 0.25 end with 2.40, so
 * this says it under names of its own.
 *
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of softgm, see module.c.
 */
#ifndef SOFTGM_INTERFACES_H
#define SOFTGM_INTERFACES_H

#include "softgm.h"

/* CK_INTERFACE. */
struct interface {
    CK_UTF8CHAR *name;
    void *function_list;
    CK_FLAGS flags;
};

/*
 * Fills in what C_GetInterface and C_GetInterfaceList offer: "PKCS 11" 2.40, and where that is asked for a complete
 * 3.0, whose own functions all answer CKR_FUNCTION_NOT_SUPPORTED. Called once.
 */
void interfaces_load(CK_FUNCTION_LIST *functions, int with_3_0);

CK_RV interfaces_list(struct interface *list, CK_ULONG_PTR count);
CK_RV interfaces_get(const CK_UTF8CHAR *name, const CK_VERSION *version, struct interface **found, CK_FLAGS flags);

#endif

/* FOR TESTS AND DEMONSTRATION / 仅供测试与演示. See interfaces.h. */
#include "interfaces.h"

#include <string.h>

typedef CK_RV (*function_3_0)(void);

/* CK_FUNCTION_LIST_3_0: the functions of 2.40 in their order, then 24 more. */
struct function_list_3_0 {
    CK_FUNCTION_LIST functions;
    CK_RV (*C_GetInterfaceList)(struct interface *list, CK_ULONG_PTR count);
    CK_RV (*C_GetInterface)(const CK_UTF8CHAR *name, const CK_VERSION *version, struct interface **found,
                            CK_FLAGS flags);
    /*
     * C_LoginUser, C_SessionCancel, and five functions each to encrypt, decrypt, sign and verify messages. Called with
     * more arguments than none, which the calling conventions of Unix allow: the caller cleans up.
     */
    function_3_0 others[22];
};

static CK_UTF8CHAR NAME[] = "PKCS 11";
static struct function_list_3_0 list_3_0;
static struct interface interfaces[2];
static CK_ULONG interface_count;

static CK_RV not_supported(void) {
    return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV get_info_3_0(CK_INFO_PTR info) {
    static const CK_VERSION version = {3, 0};
    CK_RV rv = ((CK_FUNCTION_LIST *)interfaces[0].function_list)->C_GetInfo(info);

    if (rv == CKR_OK)
        info->cryptokiVersion = version;
    return rv;
}

void interfaces_load(CK_FUNCTION_LIST *functions, int with_3_0) {
    static const CK_VERSION version = {3, 0};

    interfaces[0] = (struct interface){NAME, functions, 0};
    interface_count = 1;
    if (!with_3_0)
        return;
    list_3_0.functions = *functions;
    list_3_0.functions.version = version;
    list_3_0.functions.C_GetInfo = get_info_3_0;
    list_3_0.C_GetInterfaceList = interfaces_list;
    list_3_0.C_GetInterface = interfaces_get;
    for (size_t i = 0; i < sizeof list_3_0.others / sizeof list_3_0.others[0]; i++)
        list_3_0.others[i] = not_supported;
    interfaces[interface_count++] = (struct interface){NAME, &list_3_0, 0};
}

CK_RV interfaces_list(struct interface *list, CK_ULONG_PTR count) {
    CK_ULONG room;

    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = interface_count;
    if (list == NULL)
        return CKR_OK;
    if (room < interface_count)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces, interface_count * sizeof *list);
    return CKR_OK;
}

/* Without a name or a version: the default, which is the first. */
CK_RV interfaces_get(const CK_UTF8CHAR *name, const CK_VERSION *version, struct interface **found, CK_FLAGS flags) {
    if (found == NULL)
        return CKR_ARGUMENTS_BAD;
    for (CK_ULONG i = 0; i < interface_count; i++) {
        const CK_VERSION *offered = interfaces[i].function_list;

        if (name != NULL && strcmp((const char *)name, (const char *)interfaces[i].name) != 0)
            continue;
        if (version != NULL && (version->major != offered->major || version->minor != offered->minor))
            continue;
        if ((flags & interfaces[i].flags) != flags)
            continue;
        *found = &interfaces[i];
        return CKR_OK;
    }
    return CKR_FUNCTION_FAILED;
}

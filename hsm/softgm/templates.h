/*
 * Templates as the caller gives them, and as the inner module gets them. See objects.c for the rules.
 *
 * FOR TESTS AND DEMONSTRATION / 仅供测试与演示. Part of softgm, see module.c.
 */
#ifndef SOFTGM_TEMPLATES_H
#define SOFTGM_TEMPLATES_H

#include "softgm.h"

/* More attributes than any caller has reason to give. */
#define TEMPLATE_LIMIT 64U

/* A template under construction; it borrows the values it points to. */
struct template {
    CK_ATTRIBUTE attributes[TEMPLATE_LIMIT];
    CK_ULONG count;
};

const CK_ATTRIBUTE *template_find(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type);
int template_has_ulong(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_ULONG value);
/* Whether CKA_EC_PARAMS names the curve of SM2. */
int template_is_sm2(const CK_ATTRIBUTE *template, CK_ULONG count);
/* Reads a flag, or leaves the default where the template has none. */
CK_RV template_read_flag(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_BBOOL *flag);

/* Both return 0 when the template is full. */
int template_add(struct template *to, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG length);
int template_add_flag(struct template *to, CK_ATTRIBUTE_TYPE type, CK_BBOOL value);

/* Whether the template would make somebody else's object look like one of ours. */
int template_forges_mark(const CK_ATTRIBUTE *template, CK_ULONG count);
/* Marks of objects.c; 0 when the template is full. */
int template_add_sm2_mark(struct template *to);
int template_add_sm4_mark(struct template *to);

/* The template of a public key in the words of the inner module: CKK_EC on the curve of SM2. */
CK_RV template_translate_public(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out, int vendor);
/* The caller's template of a key, checked, and without what softgm sets; *extractable as it asked. */
CK_RV template_check_private(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out,
                             CK_BBOOL *extractable);
CK_RV template_check_sm4(const CK_ATTRIBUTE *template, CK_ULONG count, struct template *out, CK_BBOOL *extractable);
/* What objects.c says of a key, its mark included where it is an SM4 key. */
CK_RV template_add_inner_flags(struct template *to, enum object_kind kind, CK_BBOOL extractable,
                               CK_BBOOL was_extractable);

#endif

/* Where a secret ends: the constant-time checks mark secrets as undefined memory, and what may show is none from here on. */
#ifndef SM2_NATIVE_DECLASSIFY_H
#define SM2_NATIVE_DECLASSIFY_H

#ifdef SM2_NATIVE_CTGRIND
#include <valgrind/memcheck.h>
#define DECLASSIFY(object) VALGRIND_MAKE_MEM_DEFINED(&(object), sizeof(object))
#else
#define DECLASSIFY(object) ((void)(object))
#endif

#endif

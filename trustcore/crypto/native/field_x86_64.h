/*
 * The field's arithmetic in x86-64 instructions (BMI2 for mulx, which leaves the carry alone). field.h says what these
 * functions promise; field_portable.h, which computes the same, has the reasoning about the bounds. Compilers do not
 * keep a carry in the flags over several words, which is what all of this is about.
 *
 * No instruction here takes a time that depends on its operands, and none branches.
 */
#ifndef SM2_NATIVE_FIELD_X86_64_H
#define SM2_NATIVE_FIELD_X86_64_H

#include "number.h"

/* Adds a times the word in rdx to c0..c3 and sets c4, in two chains: the even words of a, then the odd ones. */
#define MULTIPLY_ROW(c0, c1, c2, c3, c4)                                                                               \
    "xorl %k[" c4 "], %k[" c4 "]\n\t"                                                                                  \
    "mulxq %[a0], %[lo], %[hi]\n\t"                                                                                    \
    "addq %[lo], %[" c0 "]\n\t"                                                                                        \
    "adcq %[hi], %[" c1 "]\n\t"                                                                                        \
    "mulxq %[a2], %[lo], %[hi]\n\t"                                                                                    \
    "adcq %[lo], %[" c2 "]\n\t"                                                                                        \
    "adcq %[hi], %[" c3 "]\n\t"                                                                                        \
    "adcq $0, %[" c4 "]\n\t"                                                                                           \
    "mulxq %[a1], %[lo], %[hi]\n\t"                                                                                    \
    "addq %[lo], %[" c1 "]\n\t"                                                                                        \
    "adcq %[hi], %[" c2 "]\n\t"                                                                                        \
    "mulxq %[a3], %[lo], %[hi]\n\t"                                                                                    \
    "adcq %[lo], %[" c3 "]\n\t"                                                                                        \
    "adcq %[hi], %[" c4 "]\n\t"

/* reduction_round of field_portable.h: w0 is m and becomes the highest word, so the window turns by one place. */
#define REDUCTION_ROUND(w0, w1, w2, w3)                                                                                \
    "movq %[" w0 "], %[lo]\n\t"                                                                                        \
    "movq %[" w0 "], %[hi]\n\t"                                                                                        \
    "shlq $32, %[lo]\n\t"                                                                                              \
    "shrq $32, %[hi]\n\t"                                                                                              \
    "addq %[" w0 "], %[" w1 "]\n\t"                                                                                    \
    "adcq $0, %[" w2 "]\n\t"                                                                                           \
    "adcq $0, %[" w3 "]\n\t"                                                                                           \
    "adcq $0, %[" w0 "]\n\t"                                                                                           \
    "subq %[lo], %[" w1 "]\n\t"                                                                                        \
    "sbbq %[hi], %[" w2 "]\n\t"                                                                                        \
    "sbbq %[lo], %[" w3 "]\n\t"                                                                                        \
    "sbbq %[hi], %[" w0 "]\n\t"

/*
 * With the carry of lo (0 or 1) above x3..x0, leaves in y3..y0 the number modulo p. The last sbb borrows exactly when
 * there was no carry and p was greater; then the number goes back unchanged. Uses hi and rdx.
 */
#define REDUCE_ONCE(x0, x1, x2, x3, y0, y1, y2, y3)                                                                    \
    "movabsq $0xFFFFFFFF00000000, %[hi]\n\t"                                                                           \
    "movabsq $0xFFFFFFFEFFFFFFFF, %%rdx\n\t"                                                                           \
    "movq %[" x0 "], %[" y0 "]\n\t"                                                                                    \
    "movq %[" x1 "], %[" y1 "]\n\t"                                                                                    \
    "movq %[" x2 "], %[" y2 "]\n\t"                                                                                    \
    "movq %[" x3 "], %[" y3 "]\n\t"                                                                                    \
    "subq $-1, %[" y0 "]\n\t"                                                                                          \
    "sbbq %[hi], %[" y1 "]\n\t"                                                                                        \
    "sbbq $-1, %[" y2 "]\n\t"                                                                                          \
    "sbbq %%rdx, %[" y3 "]\n\t"                                                                                        \
    "sbbq $0, %[lo]\n\t"                                                                                               \
    "cmovcq %[" x0 "], %[" y0 "]\n\t"                                                                                  \
    "cmovcq %[" x1 "], %[" y1 "]\n\t"                                                                                  \
    "cmovcq %[" x2 "], %[" y2 "]\n\t"                                                                                  \
    "cmovcq %[" x3 "], %[" y3 "]\n\t"

/* From the product r7..r0: four rounds on the low half, the sum with the high half, reduced into r3..r0. */
#define MONTGOMERY_REDUCE                                                                                              \
    REDUCTION_ROUND("r0", "r1", "r2", "r3")                                                                            \
    REDUCTION_ROUND("r1", "r2", "r3", "r0")                                                                            \
    REDUCTION_ROUND("r2", "r3", "r0", "r1")                                                                            \
    REDUCTION_ROUND("r3", "r0", "r1", "r2")                                                                            \
    "xorl %k[lo], %k[lo]\n\t"                                                                                          \
    "addq %[r0], %[r4]\n\t"                                                                                            \
    "adcq %[r1], %[r5]\n\t"                                                                                            \
    "adcq %[r2], %[r6]\n\t"                                                                                            \
    "adcq %[r3], %[r7]\n\t"                                                                                            \
    "adcq $0, %[lo]\n\t"                                                                                               \
    REDUCE_ONCE("r4", "r5", "r6", "r7", "r0", "r1", "r2", "r3")

#define PRODUCT_REGISTERS                                                                                              \
    [r0] "=&r"(r0), [r1] "=&r"(r1), [r2] "=&r"(r2), [r3] "=&r"(r3), [r4] "=&r"(r4), [r5] "=&r"(r5),                    \
        [r6] "=&r"(r6), [r7] "=&r"(r7), [lo] "=&r"(lo), [hi] "=&r"(hi)

static inline void field_multiply(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    uint64_t r0, r1, r2, r3, r4, r5, r6, r7, lo, hi;

    __asm__("movq %[b0], %%rdx\n\t"
            "mulxq %[a0], %[r0], %[r1]\n\t"
            "mulxq %[a1], %[lo], %[r2]\n\t"
            "addq %[lo], %[r1]\n\t"
            "mulxq %[a2], %[lo], %[r3]\n\t"
            "adcq %[lo], %[r2]\n\t"
            "mulxq %[a3], %[lo], %[r4]\n\t"
            "adcq %[lo], %[r3]\n\t"
            "adcq $0, %[r4]\n\t"
            "movq %[b1], %%rdx\n\t"
            MULTIPLY_ROW("r1", "r2", "r3", "r4", "r5")
            "movq %[b2], %%rdx\n\t"
            MULTIPLY_ROW("r2", "r3", "r4", "r5", "r6")
            "movq %[b3], %%rdx\n\t"
            MULTIPLY_ROW("r3", "r4", "r5", "r6", "r7")
            MONTGOMERY_REDUCE
            : PRODUCT_REGISTERS
            : [a0] "m"(a->w[0]), [a1] "m"(a->w[1]), [a2] "m"(a->w[2]), [a3] "m"(a->w[3]), [b0] "m"(b->w[0]),
              [b1] "m"(b->w[1]), [b2] "m"(b->w[2]), [b3] "m"(b->w[3])
            : "rdx", "cc");
    out->w[0] = r0;
    out->w[1] = r1;
    out->w[2] = r2;
    out->w[3] = r3;
}

/* The six products of different words once, doubled, and the four squares between them. */
static inline void field_square(struct sm2_number *out, const struct sm2_number *a) {
    uint64_t r0, r1, r2, r3, r4, r5, r6, r7, lo, hi;

    __asm__("movq %[a0], %%rdx\n\t"
            "mulxq %[a1], %[r1], %[r2]\n\t"
            "mulxq %[a2], %[lo], %[r3]\n\t"
            "addq %[lo], %[r2]\n\t"
            "mulxq %[a3], %[lo], %[r4]\n\t"
            "adcq %[lo], %[r3]\n\t"
            "adcq $0, %[r4]\n\t"
            "movq %[a1], %%rdx\n\t"
            "mulxq %[a3], %[lo], %[r5]\n\t"
            "addq %[lo], %[r4]\n\t"
            "adcq $0, %[r5]\n\t"
            "mulxq %[a2], %[lo], %[hi]\n\t"
            "addq %[lo], %[r3]\n\t"
            "adcq %[hi], %[r4]\n\t"
            "adcq $0, %[r5]\n\t"
            "movq %[a2], %%rdx\n\t"
            "mulxq %[a3], %[lo], %[r6]\n\t"
            "addq %[lo], %[r5]\n\t"
            "adcq $0, %[r6]\n\t"
            "xorl %k[r7], %k[r7]\n\t"
            "addq %[r1], %[r1]\n\t"
            "adcq %[r2], %[r2]\n\t"
            "adcq %[r3], %[r3]\n\t"
            "adcq %[r4], %[r4]\n\t"
            "adcq %[r5], %[r5]\n\t"
            "adcq %[r6], %[r6]\n\t"
            "adcq %[r7], %[r7]\n\t"
            "movq %[a0], %%rdx\n\t"
            "mulxq %%rdx, %[r0], %[hi]\n\t"
            "addq %[hi], %[r1]\n\t"
            "movq %[a1], %%rdx\n\t"
            "mulxq %%rdx, %[lo], %[hi]\n\t"
            "adcq %[lo], %[r2]\n\t"
            "adcq %[hi], %[r3]\n\t"
            "movq %[a2], %%rdx\n\t"
            "mulxq %%rdx, %[lo], %[hi]\n\t"
            "adcq %[lo], %[r4]\n\t"
            "adcq %[hi], %[r5]\n\t"
            "movq %[a3], %%rdx\n\t"
            "mulxq %%rdx, %[lo], %[hi]\n\t"
            "adcq %[lo], %[r6]\n\t"
            "adcq %[hi], %[r7]\n\t"
            MONTGOMERY_REDUCE
            : PRODUCT_REGISTERS
            : [a0] "m"(a->w[0]), [a1] "m"(a->w[1]), [a2] "m"(a->w[2]), [a3] "m"(a->w[3])
            : "rdx", "cc");
    out->w[0] = r0;
    out->w[1] = r1;
    out->w[2] = r2;
    out->w[3] = r3;
}

static inline void field_add(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    uint64_t r0 = a->w[0], r1 = a->w[1], r2 = a->w[2], r3 = a->w[3], r4, r5, r6, r7, lo = 0, hi;

    __asm__("addq %[b0], %[r0]\n\t"
            "adcq %[b1], %[r1]\n\t"
            "adcq %[b2], %[r2]\n\t"
            "adcq %[b3], %[r3]\n\t"
            "adcq $0, %[lo]\n\t"
            REDUCE_ONCE("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7")
            : [r0] "+&r"(r0), [r1] "+&r"(r1), [r2] "+&r"(r2), [r3] "+&r"(r3), [r4] "=&r"(r4), [r5] "=&r"(r5),
              [r6] "=&r"(r6), [r7] "=&r"(r7), [lo] "+&r"(lo), [hi] "=&r"(hi)
            : [b0] "m"(b->w[0]), [b1] "m"(b->w[1]), [b2] "m"(b->w[2]), [b3] "m"(b->w[3])
            : "rdx", "cc");
    out->w[0] = r4;
    out->w[1] = r5;
    out->w[2] = r6;
    out->w[3] = r7;
}

/* Where it borrows, lo becomes all ones and p & lo, whose words are lo, lo << 32, lo and lo & p3, comes back. */
static inline void field_subtract(struct sm2_number *out, const struct sm2_number *a, const struct sm2_number *b) {
    uint64_t r0 = a->w[0], r1 = a->w[1], r2 = a->w[2], r3 = a->w[3], lo, middle, top;

    __asm__("movabsq $0xFFFFFFFEFFFFFFFF, %[top]\n\t"
            "subq %[b0], %[r0]\n\t"
            "sbbq %[b1], %[r1]\n\t"
            "sbbq %[b2], %[r2]\n\t"
            "sbbq %[b3], %[r3]\n\t"
            "sbbq %[lo], %[lo]\n\t"
            "movq %[lo], %[middle]\n\t"
            "shlq $32, %[middle]\n\t"
            "andq %[lo], %[top]\n\t"
            "addq %[lo], %[r0]\n\t"
            "adcq %[middle], %[r1]\n\t"
            "adcq %[lo], %[r2]\n\t"
            "adcq %[top], %[r3]\n\t"
            : [r0] "+&r"(r0), [r1] "+&r"(r1), [r2] "+&r"(r2), [r3] "+&r"(r3), [lo] "=&r"(lo),
              [middle] "=&r"(middle), [top] "=&r"(top)
            : [b0] "m"(b->w[0]), [b1] "m"(b->w[1]), [b2] "m"(b->w[2]), [b3] "m"(b->w[3])
            : "cc");
    out->w[0] = r0;
    out->w[1] = r1;
    out->w[2] = r2;
    out->w[3] = r3;
}

#undef MULTIPLY_ROW
#undef REDUCTION_ROUND
#undef REDUCE_ONCE
#undef MONTGOMERY_REDUCE
#undef PRODUCT_REGISTERS

#endif

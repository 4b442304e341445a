/*
 * Random sequences of PKCS#11 calls against softgm, for a sanitizer to watch.
 *
 * Bytes are read as a program: which function, which object, which mechanism, which template, how much room. Buffers
 * are exactly as long as the call is told. Two private values are planted in keys that are not extractable; whatever a
 * call gives out is searched for them.
 *
 * Built with libFuzzer (clang -fsanitize=fuzzer) it is a fuzzing target. Built with -DSTANDALONE:
 *
 *   fuzz --random SEED COUNT    so many random programs; then says how often each function succeeded
 *   fuzz FILE...                these programs
 *
 * The environment names a directory for a token: FUZZ_DIRECTORY.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "program.h"

#define PIN ((CK_UTF8CHAR_PTR) "fuzzing-1234")
#define PIN_LENGTH 12
#define STEPS 40

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list);

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

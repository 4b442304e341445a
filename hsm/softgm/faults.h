/*
 * Fault injection: one machine of three goes down, slows down, comes back. FOR TESTS AND DEMONSTRATION / 仅供测试与演示.
 *
 * Where an environment variable names a directory when the library starts (SOFTGM_FAULTS for softgm, LIBSDF_FAULTS for
 * libsdf), a file there that is named like a machine (the token's label, the device's name) says what happens at each
 * call that opens, logs in, finds, makes, moves or uses a key in it:
 *
 *   0x30        the call answers this code (CK_RV, SDR_…)
 *   delay 50    the call waits 50 ms first, 60 s at most
 *   hang        the call does not come back until the file goes or changes, or the library is ended
 *   crash       the process aborts, without a core
 *
 * each followed by nothing, by " after N" (the first N calls pass, all later ones do not) or by " every N" (only the
 * Nth, the 2Nth and so on do not pass). Calls are counted by each process for itself, and anew when the file changes.
 * A call that hung goes on as the file says then: it passes where the file has gone.
 *
 * No file or an empty one, no fault. Read at each call, so a test switches faults by writing files.
 */
#ifndef SOFTGM_FAULTS_H
#define SOFTGM_FAULTS_H

enum fault_outcome {
    FAULT_NONE,       /* go on */
    FAULT_CODE,       /* answer the code */
    FAULT_ENDED,      /* the library was ended while the call hung */
    FAULT_UNREADABLE, /* the file says something else: a general error */
};

void fault_start(const char *variable);
void fault_stop(void);
/* Whether there are faults at all: cheap. */
int fault_is_active(void);
enum fault_outcome fault_of_name(const char *name, unsigned long *code);

#endif

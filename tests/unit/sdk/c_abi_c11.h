/* Returns 0, or the number of the step that failed. */
#ifndef OUTRIDER_TESTS_C_ABI_C11_H
#define OUTRIDER_TESTS_C_ABI_C11_H

#ifdef __cplusplus
extern "C" {
#endif

int emit_from_c(const char* endpoint);

#ifdef __cplusplus
}
#endif

#endif

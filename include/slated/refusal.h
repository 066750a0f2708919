/* Why something was not done, in one sentence for people. */
#ifndef SLATED_REFUSAL_H
#define SLATED_REFUSAL_H

/* Room for such a sentence with its NUL. */
#define REFUSAL_SIZE 160

/* Writes the sentence, cut off where it is too long, and gives back `error`, so that a caller may return both at once.
 */
int refuse(int error, char refusal[static REFUSAL_SIZE], const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

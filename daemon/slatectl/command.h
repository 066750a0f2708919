/* The commands of slatectl: one entry in main.c's table and one file each. */
#ifndef SLATED_SLATECTL_COMMAND_H
#define SLATED_SLATECTL_COMMAND_H

#include "slated/instant.h"

struct config;

/* Exit statuses, besides 0 for success. */
#define EXIT_PROBLEM 1 /* what was asked for failed */
#define EXIT_USAGE   2 /* the command line is wrong */

#define CONFIG_DEFAULT SYSCONFDIR "/slated/slated.conf"

/* argv[0] is the command's name; getopt() starts anew for each. They give the exit status. */
int command_check(int argc, char **argv);
int command_due(int argc, char **argv);
int command_settings(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_status(int argc, char **argv);
int command_list(int argc, char **argv);
int command_show(int argc, char **argv);
int command_ack(int argc, char **argv);
int command_assess(int argc, char **argv);
int command_deliveries(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_silence(int argc, char **argv);
int command_test(int argc, char **argv);

/* Says that the command line is wrong, with the command's usage. EXIT_USAGE. */
int command_usage(const char *command);

/* The current instant, by the system's clock. */
struct instant command_now(void);

/* Reads an option's instant; says what is wrong with it, and gives false. */
bool command_instant(const char *option, const char *text, struct instant *ret);

/* The same for a length of time such as 45m or 2h; and for a number from 1 on, which is left as text. */
bool command_duration(const char *option, const char *text, struct duration *ret);
bool command_count(const char *option, const char *text);

/* An instant, or a length of time before `now`. */
bool command_since(const char *option, const char *text, struct instant now, struct instant *ret);

/* Who calls: the one behind sudo, or the user. Valid until the next call. */
const char *command_caller(void);

/* Loads a configuration without its secrets; prints its problems. 0, or -EINVAL, or another negative errno that was
 * printed. */
int command_config(const char *path, struct instant now, struct config **ret) __attribute__((warn_unused_result));

#endif

/* The sample module with something nasty that happens when it is loaded. ATTACK chooses; findings go to standard error,
 * which is the log of the lease. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/runtime/modules/sample.c"

#define LOOP 1
#define CRASH 2
#define BOMB 3
#define FLOOD 4
#define ESCAPE 5
#define QUIT 6
#define LITTER 7

#if ATTACK == ESCAPE
static void tell(const char *what, int isDone) { fprintf(stderr, "%s: %s\n", what, isDone ? "DONE" : strerror(errno)); }

static void escape(void) {
  tell("socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
  tell("unix socket", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
  pid_t child = fork();
  if (child == 0) _exit(0);
  tell("fork", child > 0);
  if (child > 0) waitpid(child, NULL, 0);
  char *const arguments[] = {"/bin/true", NULL};
  tell("execve", execve("/bin/true", arguments, arguments) == 0);
  tell("kill", kill(getppid(), 0) == 0);
  tell("ptrace", ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0);
  tell("mount", mount("none", "/tmp", "tmpfs", 0, "") == 0);
  tell("unshare", unshare(CLONE_NEWUSER) == 0);
  tell("read", open("/etc/passwd", O_RDONLY) >= 0);
  tell("write", open("/tmp/hone-escaped", O_WRONLY | O_CREAT, 0600) >= 0);
  tell("list", open("/", O_RDONLY | O_DIRECTORY) >= 0);
  fprintf(stderr, "environment: %s\n", getenv("HONE_TEST_SECRET") ? "DONE" : "scrubbed");
  int others = 0;
  for (int file = 7; file < 256; ++file)
    if (fcntl(file, F_GETFD) >= 0) ++others;
  fprintf(stderr, "descriptors: %s\n", others > 3 ? "DONE" : "few");
  /* Its own folder is its own, and goes with it. */
  FILE *mine = fopen("litter", "w");
  fprintf(stderr, "litter: %s\n", mine ? "written" : strerror(errno));
}
#endif

__attribute__((constructor)) static void attack(void) {
#if ATTACK == LOOP
  for (volatile int i = 0;; ++i) continue;
#elif ATTACK == CRASH
  fprintf(stderr, "about to crash\n");
  volatile int *nowhere = NULL;
  *nowhere = 1;
#elif ATTACK == BOMB
  for (int i = 0;; ++i) {
    char *bytes = malloc(16 << 20);
    if (!bytes) {
      fprintf(stderr, "got %d MiB\n", 16 * i);
      abort();
    }
    memset(bytes, 1, 16 << 20);
  }
#elif ATTACK == FLOOD
  for (int i = 0; i < 200000; ++i) fprintf(stderr, "flood flood flood flood \xff flood flood %d\n", i);
  /* And nonsense where reports belong: a frame of 4 GiB. */
  if (write(3, "\xff\xff\xff\xff", 4) != 4) abort();
  for (;;) pause();
#elif ATTACK == LITTER
  const char *folder = getenv("TMPDIR");
  static char bytes[1 << 20];
  for (int i = 0;; ++i) {
    char path[4096];
    snprintf(path, sizeof path, "%s/litter-%d", folder, i);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(bytes, sizeof bytes, 1, file) != 1) abort();
    fclose(file);
    usleep(1000);
  }
#elif ATTACK == ESCAPE
  escape();
#elif ATTACK == QUIT
  _exit(0);
#endif
}

// Writes the artifact around modules/sample.c to the file that is named.
#include "tests/runtime/sample_artifact.h"

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  hone::test::writeFile(argv[1], hone::test::sampleTar());
}

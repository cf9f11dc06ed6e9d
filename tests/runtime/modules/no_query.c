/* A library that is no module. */
__attribute__((visibility("default"))) int something(void) { return 1; }

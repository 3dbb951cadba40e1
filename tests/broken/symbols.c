/* Plugins whose notes are sound and whose symbols are not: compiled with one of these as CASE. */
#define ROUGH_DESCRIPTOR 1 /* a descriptor by hand, without a registration function */
#define FUNCTION 2         /* `rt_module` is a function */
#define SHORT 3            /* `rt_module` is smaller than a descriptor */
#define UNDEFINED 4        /* calls what nobody defines */
#define NEIGHBOUR 5        /* calls a library that make_corpus.py takes away again */
#define EXPORTS 6          /* exports more than the descriptor */

#if CASE == ROUGH_DESCRIPTOR || CASE == FUNCTION || CASE == SHORT
#include <rt/rt.h>
RT_NOTE("module=rough\0version=1.0.0\0summary=By hand\0abi=" RT_TEXT(RT_ABI_MAJOR) "." RT_TEXT(
    RT_ABI_MINOR) "\0")
#if CASE == FUNCTION
__attribute__((visibility("default"))) int rt_module(void);
int rt_module(void)
{
    return 0;
}
#elif CASE == SHORT
__attribute__((visibility("default"))) extern uint64_t rt_module[2];
uint64_t rt_module[2] = {RT_MODULE_MAGIC, 16 | (uint64_t)RT_ABI_MAJOR << 32};
#else
__attribute__((visibility("default"))) extern rt_module_descriptor rt_module;
rt_module_descriptor rt_module = {.magic = RT_MODULE_MAGIC,
                                  .size = sizeof rt_module,
                                  .abi_major = RT_ABI_MAJOR,
                                  .abi_minor = RT_ABI_MINOR,
                                  .name = "rough",
                                  .version = "1.0.0"};
#endif
#else
#include <rt/rt.h>
RT_MODULE("symbols", "1.0.0", "Has odd symbols")
RT_SERVES(services)
int rt_test_absent(int number);
int rt_test_neighbour(int number);
#if CASE == EXPORTS
__attribute__((visibility("default"))) int helper(int number);
int helper(int number)
{
    return number + 1;
}
#endif
RT_REGISTER(registry)
{
    int number = registry != NULL;
#if CASE == UNDEFINED
    number = rt_test_absent(number);
#elif CASE == NEIGHBOUR
    number = rt_test_neighbour(number);
#endif
    return -number;
}
#endif
